/**
 * Pictures in other sizes as Pillow's BICUBIC and BILINEAR make them, to the byte: separable, the kernel widened when shrinking, fixed-point weights,
 * bytes between the passes. Image encoders were trained behind it, so that other resampling shows them other pictures.
 *
 * Source: Resample.c of Pillow for what its numbers are.
 */
import type { Pixels } from '../backend.ts';

type Size = Pick<Pixels, 'width' | 'height'>;

export function resizeBicubic(image: Pixels, size: Size): Pixels {
  return resize(image, size, cubic);
}

export function resizeBilinear(image: Pixels, size: Size): Pixels {
  return resize(image, size, triangle);
}

interface Kernel {
  (distance: number): number;
  /** Where it ends. */
  readonly reach: number;
}

/** First along the lines, then along the columns; a side that stays as it is costs nothing. */
function resize(image: Pixels, { width, height }: Size, kernel: Kernel): Pixels {
  const { width: fromWidth, height: fromHeight } = image;
  const wide = resample(image.data, windows(fromWidth, width, kernel), {
    lines: fromHeight,
    step: 3,
    from: (line) => 3 * line * fromWidth,
    to: (line) => 3 * line * width,
  });
  const data = resample(wide, windows(fromHeight, height, kernel), {
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
function windows(from: number, to: number, kernel: Kernel): readonly Window[] | undefined {
  if (from === to) return undefined;
  const scale = from / to;
  const spread = Math.max(scale, 1);
  const support = kernel.reach * spread;
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - support + 0.5), 0);
    const end = Math.min(Math.trunc(centre + support + 0.5), from);
    const raw = Array.from({ length: end - start }, (_, x) => kernel((x + start - centre + 0.5) / spread));
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

cubic.reach = 2;

function triangle(distance: number): number {
  return Math.max(1 - Math.abs(distance), 0);
}
triangle.reach = 1;

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
