/**
 * Images in a terminal: each character is the upper half of a block, whose colour is one pixel and whose ground is the pixel below. Needs
 * 24-bit colours, which nearly all terminals have.
 */
import type { Pixels } from '@gvu/models';
import { resizeArea } from './resample.ts';

/** No image takes more characters than this. */
const maxColumns = 48;

/** The images side by side, in as many lines of images as the width takes. All are of one size. */
export function preview(images: readonly Pixels[], { width }: { readonly width: number }): string {
  const small = images.map((image) => resizeArea(image, previewSize(image, Math.min(width, maxColumns))));
  const perLine = Math.max(1, Math.floor((width + 1) / ((small[0]?.width ?? width) + 1)));
  const blocks: string[] = [];
  for (let i = 0; i < small.length; i += perLine) blocks.push(sideBySide(small.slice(i, i + perLine)));
  return blocks.join('\n\n');
}

function previewSize({ width, height }: Pixels, columns: number) {
  const scale = Math.min(1, columns / width);
  return { width: Math.round(width * scale), height: Math.max(1, Math.round(height * scale)) };
}

function sideBySide(images: readonly Pixels[]): string {
  const rows = Math.ceil((images[0]?.height ?? 0) / 2);
  return Array.from({ length: rows }, (_, row) => images.map((image) => line(image, row)).join(' ')).join('\n');
}

function line(image: Pixels, row: number): string {
  const colour = (x: number, y: number) => {
    const at = 3 * (Math.min(y, image.height - 1) * image.width + x);
    return image.data.subarray(at, at + 3).join(';');
  };
  const cells = Array.from(
    { length: image.width },
    (_, x) => `\u001b[38;2;${colour(x, 2 * row)};48;2;${colour(x, 2 * row + 1)}m▀`,
  );
  return `${cells.join('')}\u001b[0m`;
}
