/**
 * The colours of the world: names of GenEval's ten, as far apart in RGB as eight colours on a light ground can be.
 *
 * The default six stay at least 130 apart (Euclidean, of 442); orange and purple come nearer to red, yellow and blue.
 */

/** Red, green and blue, each 0 to 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

export const background: Rgb = [235, 235, 235];

export const palette = {
  red: [220, 35, 35],
  yellow: [250, 215, 40],
  green: [35, 160, 65],
  blue: [45, 90, 225],
  pink: [240, 85, 190],
  black: [35, 35, 35],
  orange: [245, 130, 20],
  purple: [125, 45, 200],
} as const satisfies Record<string, Rgb>;

export type ColorName = keyof typeof palette;
