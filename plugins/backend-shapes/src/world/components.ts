/**
 * Splits an image into regions of one colour: how much of each palette colour a pixel holds, and connected components.
 *
 * An edge pixel of a smooth or blurred object is a mixture of the ground and the object's colour, so a pixel is compared
 * with the line between the two, not with the colour alone.
 */
import { background, type ColorName, palette } from './palette.ts';
import { planeSize } from './pixels.ts';
import { imageSide } from './world.ts';

/** The colour that explains each pixel best, as an index into the colours asked for, and its sharpened share, 0 (ground) to 1. */
export interface ColorMap {
  readonly nearest: Uint8Array;
  readonly share: Float32Array;
}

/** A pixel belongs to an object when its colour's share is at least this. */
const foreground = 0.5;
/** How much steeper edges are made: with 1, blur of 0.8 pixels costs a fifth of all verdicts; with 3, none. */
const sharpness = 3;
/** The share up to which the sharpened one is 0. */
const leastShare = foreground * (1 - 1 / sharpness);

/** A share with the middle kept and the edge made steeper, so that blurred edges become about as wide as drawn ones. */
export function sharpened(share: number): number {
  return Math.min(Math.max((share - foreground) * sharpness + foreground, 0), 1);
}

export function colorMap(pixels: Uint8Array, colors: readonly ColorName[]): ColorMap {
  const nearest = new Uint8Array(planeSize);
  const share = new Float32Array(planeSize);
  // The lines from the ground to the colours, and their squared lengths.
  const lines = colors.map((color) => {
    const [r, g, b] = [0, 1, 2].map((channel) => (palette[color][channel] ?? 0) - (background[channel] ?? 0));
    return { r: r ?? 0, g: g ?? 0, b: b ?? 0, length: (r ?? 0) ** 2 + (g ?? 0) ** 2 + (b ?? 0) ** 2 };
  });
  // So near to the ground no colour's share is above 0 once it is sharpened.
  const near = Math.min(...lines.map(({ length }) => length)) * leastShare ** 2;
  for (let i = 0; i < planeSize; i++) {
    const red = (pixels[i] ?? 0) - background[0];
    const green = (pixels[planeSize + i] ?? 0) - background[1];
    const blue = (pixels[2 * planeSize + i] ?? 0) - background[2];
    if (red * red + green * green + blue * blue < near) continue;
    let least = Number.POSITIVE_INFINITY;
    for (let color = 0; color < lines.length; color++) {
      const line = lines[color];
      if (!line) break;
      const along = Math.min(Math.max((red * line.r + green * line.g + blue * line.b) / line.length, 0), 1);
      const distance = (red - along * line.r) ** 2 + (green - along * line.g) ** 2 + (blue - along * line.b) ** 2;
      if (distance >= least) continue;
      least = distance;
      nearest[i] = color;
      share[i] = sharpened(along);
    }
  }
  return { nearest, share };
}

/** Pixels of one colour that touch each other, also at corners. */
export interface Component {
  /** Index of the colour. */
  readonly color: number;
  readonly area: number;
  /** First and last column and row. */
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** The components of an image's foreground, from the top down. */
export function components({ nearest, share }: ColorMap): Component[] {
  const seen = new Uint8Array(planeSize);
  const found: Component[] = [];
  for (let start = 0; start < planeSize; start++) {
    if (seen[start] || (share[start] ?? 0) < foreground) continue;
    const color = nearest[start] ?? 0;
    const open = [start];
    seen[start] = 1;
    let [area, left, right, top, bottom] = [0, imageSide, 0, imageSide, 0];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      const column = at % imageSide;
      const row = (at - column) / imageSide;
      area++;
      left = Math.min(left, column);
      right = Math.max(right, column);
      top = Math.min(top, row);
      bottom = Math.max(bottom, row);
      for (let y = Math.max(row - 1, 0); y <= Math.min(row + 1, imageSide - 1); y++) {
        for (let x = Math.max(column - 1, 0); x <= Math.min(column + 1, imageSide - 1); x++) {
          const next = y * imageSide + x;
          if (seen[next] || nearest[next] !== color || (share[next] ?? 0) < foreground) continue;
          seen[next] = 1;
          open.push(next);
        }
      }
    }
    found.push({ color, area, left, right, top, bottom });
  }
  return found;
}
