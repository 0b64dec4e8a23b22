/**
 * Any picture as the square that the tower looks at: the longest side brought to the square's, by Pillow's bicubic resampling, and the
 * rest filled with a colour. Source: image_processing_vlm.py of deepseek-ai/Janus.
 */
import { modelErrors, type Pixels, resizeBicubic } from '@gvu/models';

export interface FitOptions {
  /** Of the square, in pixels. */
  readonly side: number;
  readonly background: readonly [number, number, number];
  /** The short side is not made smaller than this. */
  readonly leastSide: number;
}

/** The picture in the middle of a square. Throws GVU_MODEL_IMAGE. */
export function fitImage(image: Pixels, { side, background, leastSide }: FitOptions): Pixels {
  const { width, height, data } = image;
  const isWhole = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  if (!isWhole || data.length !== 3 * width * height)
    throw modelErrors.error('GVU_MODEL_IMAGE', `An image of ${width} x ${height} has ${data.length} bytes.`, {
      hint: 'Images are RGB with 8 bits a channel: 3 bytes for each pixel.',
    });
  const longest = Math.max(width, height);
  const fitted = (length: number) => Math.min(side, Math.max(Math.trunc((length / longest) * side), leastSide, 1));
  const inner = resizeBicubic(image, { width: fitted(width), height: fitted(height) });
  if (inner.width === side && inner.height === side) return inner;
  const square = Uint8Array.from({ length: 3 * side * side }, (_, i) => background[i % 3] ?? 0);
  const [left, top] = [Math.floor((side - inner.width) / 2), Math.floor((side - inner.height) / 2)];
  for (let y = 0; y < inner.height; y++) {
    const line = inner.data.subarray(3 * y * inner.width, 3 * (y + 1) * inner.width);
    square.set(line, 3 * ((top + y) * side + left));
  }
  return { width: side, height: side, data: square };
}
