/** Many images in one, to be looked at together: a grid on white. */
import type { Pixels } from '@gvu/models';
import { enlarge } from './resample.ts';

export interface SheetOptions {
  /** How many times each pixel is repeated in both directions; fewer times where the sheet would have more than `maxPixels`. */
  readonly scale: number;
  readonly maxPixels: number;
}

/** Around every image, before it is enlarged. */
const gap = 2;

/**
 * A row of the grid for each list; the images are all of one size. Undefined when they are too many to be on one sheet even as they
 * are.
 */
export function contactSheet(
  rows: readonly (readonly Pixels[])[],
  { scale, maxPixels }: SheetOptions,
): Pixels | undefined {
  const columns = Math.max(1, ...rows.map((row) => row.length));
  const [cellWidth, cellHeight] = [rows[0]?.[0]?.width ?? 0, rows[0]?.[0]?.height ?? 0];
  const width = gap + columns * (cellWidth + gap);
  const height = gap + rows.length * (cellHeight + gap);
  const factor = Math.min(scale, Math.floor(Math.sqrt(maxPixels / (width * height))));
  if (factor < 1) return undefined;
  const data = new Uint8Array(3 * width * height).fill(255);
  rows.forEach((row, i) => {
    row.forEach((image, j) => {
      const [left, top] = [gap + j * (cellWidth + gap), gap + i * (cellHeight + gap)];
      for (let y = 0; y < image.height; y++) {
        const line = image.data.subarray(3 * y * image.width, 3 * (y + 1) * image.width);
        data.set(line, 3 * ((top + y) * width + left));
      }
    });
  });
  return enlarge({ width, height, data }, factor);
}
