/** Many images in one, to be looked at together: a grid on white. */
import type { Pixels } from '@gvu/models';

/** A row of the grid for each list; the images are all of one size. `gap` in pixels, around every image. */
export function contactSheet(rows: readonly (readonly Pixels[])[], gap: number): Pixels {
  const columns = Math.max(1, ...rows.map((row) => row.length));
  const [cellWidth, cellHeight] = [rows[0]?.[0]?.width ?? 0, rows[0]?.[0]?.height ?? 0];
  const width = gap + columns * (cellWidth + gap);
  const height = gap + rows.length * (cellHeight + gap);
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
  return { width, height, data };
}
