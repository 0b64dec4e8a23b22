/**
 * Any picture as the square that the tower looks at: the longest side brought to the square's, bicubically, and the rest filled with a
 * colour. The resampling is Pillow's to the byte (separable, the kernel widened when shrinking, fixed-point weights, bytes between
 * the passes), because the model was trained behind it.
 *
 * Sources: image_processing_vlm.py of deepseek-ai/Janus; Resample.c of Pillow for what its numbers are.
 */
import { modelErrors, type Pixels } from '@gvu/models';

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

/** First along the lines, then along the columns; a side that stays as it is costs nothing. */
export function resizeBicubic(image: Pixels, { width, height }: Pick<Pixels, 'width' | 'height'>): Pixels {
  const { width: fromWidth, height: fromHeight } = image;
  const wide = resample(image.data, windows(fromWidth, width), {
    lines: fromHeight,
    step: 3,
    from: (line) => 3 * line * fromWidth,
    to: (line) => 3 * line * width,
  });
  const data = resample(wide, windows(fromHeight, height), {
    lines: width,
    step: 3 * width,
    from: (line) => 3 * line,
    to: (line) => 3 * line,
  });
  return { width, height, data };
}

/** Weights are whole numbers of this many bits after the point. */
const precision = 2 ** 22;

interface Window {
  readonly start: number;
  readonly weights: readonly number[];
}

/** For each element of the result, which elements it is mixed of. Undefined when nothing changes. */
function windows(from: number, to: number): readonly Window[] | undefined {
  if (from === to) return undefined;
  const scale = from / to;
  const spread = Math.max(scale, 1);
  const support = 2 * spread;
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - support + 0.5), 0);
    const end = Math.min(Math.trunc(centre + support + 0.5), from);
    const raw = Array.from({ length: end - start }, (_, x) => cubic((x + start - centre + 0.5) / spread));
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    const weights = raw.map((weight) => roundAway((weight / total) * precision));
    return { start, weights };
  });
}

/** The cubic convolution kernel with a = -0.5. */
function cubic(distance: number): number {
  const x = Math.abs(distance);
  const a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function roundAway(value: number): number {
  return Math.trunc(value + (value < 0 ? -0.5 : 0.5));
}

interface Walk {
  readonly lines: number;
  /** Bytes from one element of a line to the next. */
  readonly step: number;
  /** Where a line begins. */
  readonly from: (line: number) => number;
  readonly to: (line: number) => number;
}

/** Lines of pixels mixed anew, each channel by itself. */
function resample(data: Uint8Array, mixed: readonly Window[] | undefined, { lines, step, from, to }: Walk): Uint8Array {
  if (!mixed) return data;
  const result = new Uint8Array(3 * lines * mixed.length);
  for (let line = 0; line < lines; line++)
    for (const [i, { start, weights }] of mixed.entries())
      for (let channel = 0; channel < 3; channel++) {
        let sum = precision / 2;
        for (const [k, weight] of weights.entries())
          sum += weight * (data[from(line) + (start + k) * step + channel] ?? 0);
        result[to(line) + i * step + channel] = Math.min(Math.max(Math.floor(sum / precision), 0), 255);
      }
  return result;
}
