/** Many images in one, to be looked at together: a grid on white, each row below its label. */
import type { Pixels } from '@gvu/models';
import { textImage } from './pixel-text.ts';
import { enlarge, type Size } from './resample.ts';

export interface SheetRow {
  readonly label: string;
  readonly images: readonly Pixels[];
}

export interface SheetOptions {
  /** How many times each pixel is repeated in both directions; fewer times where the sheet would have more than `maxPixels`. */
  readonly scale: number;
  readonly maxPixels: number;
}

/** Around every image, before it is enlarged. */
const gap = 2;

/** A label is cut after so many lines. */
const mostLines = 3;

/** Undefined when the images, all of one size, are too many to be on one sheet even as they are. */
export function contactSheet(rows: readonly SheetRow[], { scale, maxPixels }: SheetOptions): Pixels | undefined {
  for (let factor = scale; factor >= 1; factor--) {
    const { width, height, parts } = layOut(rows, factor);
    if (width * height > maxPixels) continue;
    const sheet = { width, height, data: new Uint8Array(3 * width * height).fill(255) };
    for (const { image, times, left, top } of parts) paste(sheet, enlarge(image, times), { left, top });
    return sheet;
  }
  return undefined;
}

interface Layout extends Size {
  /** What is on the sheet, `times` enlarged, and where, in pixels of the sheet. */
  readonly parts: readonly {
    readonly image: Pixels;
    readonly times: number;
    readonly left: number;
    readonly top: number;
  }[];
}

function layOut(rows: readonly SheetRow[], factor: number): Layout {
  const columns = Math.max(1, ...rows.map(({ images }) => images.length));
  const [cellWidth, cellHeight] = [rows[0]?.images[0]?.width ?? 0, rows[0]?.images[0]?.height ?? 0];
  const margin = factor * gap;
  const width = margin + columns * (factor * cellWidth + margin);
  // Legible also where a wide sheet is shown as wide as a screen.
  const times = Math.max(1, Math.round(width / 500));
  const textWidth = Math.floor((width - 2 * margin) / times);
  let top = margin;
  const parts = rows.flatMap(({ label, images }) => {
    const text = { image: textImage(label, { width: textWidth, mostLines }), times, left: margin, top };
    top += text.image.height * times;
    const placed = images.map((image, i) => {
      return { image, times: factor, left: margin + i * (factor * cellWidth + margin), top };
    });
    top += factor * cellHeight + margin;
    return [text, ...placed];
  });
  return { width, height: top, parts };
}

function paste(sheet: Pixels, image: Pixels, { left, top }: { readonly left: number; readonly top: number }): void {
  for (let y = 0; y < image.height; y++) {
    const line = image.data.subarray(3 * y * image.width, 3 * (y + 1) * image.width);
    sheet.data.set(line, 3 * ((top + y) * sheet.width + left));
  }
}
