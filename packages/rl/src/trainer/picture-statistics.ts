/**
 * What pictures look like, as a few numbers: rewards are exploited by over-saturated, bright or noisy pictures, and by drawings of a prompt
 * that are all alike. Of a picture with RGB values from 0 to 1:
 *
 *   saturation   mean of (max - min) / max over pixels, 0 for black       HSV's S
 *   brightness   mean of max(R, G, B)                                     HSV's V
 *   sharpness    mean absolute difference of neighbouring values          high for noise, low for blur
 *
 * and of the drawings of one prompt their diversity: the root mean square difference of values, mean over all pairs.
 */
import type { Pixels } from '@gvu/models';
import { mean } from '../statistics.ts';

export interface PictureStatistics {
  readonly saturation: number;
  readonly brightness: number;
  readonly sharpness: number;
}

export function pictureStatistics({ width, height, data }: Pixels): PictureStatistics {
  let [saturation, brightness, difference] = [0, 0, 0];
  const value = (x: number, y: number, channel: number) => data[3 * (y * width + x) + channel] ?? 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [r, g, b] = [value(x, y, 0), value(x, y, 1), value(x, y, 2)];
      const high = Math.max(r, g, b);
      brightness += high;
      if (high > 0) saturation += (high - Math.min(r, g, b)) / high;
      for (let channel = 0; channel < 3; channel++) {
        if (x + 1 < width) difference += Math.abs(value(x, y, channel) - value(x + 1, y, channel));
        if (y + 1 < height) difference += Math.abs(value(x, y, channel) - value(x, y + 1, channel));
      }
    }
  const pixels = width * height;
  const neighbours = 3 * (height * (width - 1) + width * (height - 1));
  return {
    saturation: saturation / pixels,
    brightness: brightness / pixels / 255,
    sharpness: neighbours === 0 ? 0 : difference / neighbours / 255,
  };
}

/** Mean over groups of the mean over pairs; NaN without a pair. Pictures of a group have one size. */
export function diversity(groups: readonly (readonly Pixels[])[]): number {
  return mean(
    groups.map((group) =>
      mean(group.flatMap((one, i) => group.slice(i + 1).map((other) => rmsDifference(one, other)))),
    ),
  );
}

function rmsDifference({ data: a }: Pixels, { data: b }: Pixels): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
  return Math.sqrt(sum / a.length) / 255;
}
