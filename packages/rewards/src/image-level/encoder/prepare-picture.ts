/**
 * Pictures as towers take them: [3, side, side] float32, normalised by channel. How a picture that is no square of that size becomes one
 * is part of each reward's definition:
 *
 *   crop      the shortest side resized, bytes as Pillow makes them, then the middle            CLIP, CLIPScore, PickScore, LAION, ImageReward
 *   squeeze   both sides resized, whatever the picture's proportions                            SigLIP
 *   fit       the longest side resized, in floating point, the rest filled with black           HPSv2 (866735e)
 *
 * Where the middle cannot be halved, torchvision rounds to the even place and transformers rounds down.
 */
import { type Pixels, resizeBicubic } from '@gvu/models';
import { rewardErrors } from '../../errors.ts';
import type { Normalisation } from './config.ts';

export type Fitting = 'crop-torchvision' | 'crop-transformers' | 'squeeze' | 'fit';

/** [3 * side * side] of a picture. Throws GVU_REWARD_INPUT for one that is none. */
export function preparePicture(
  picture: Pixels,
  { fitting, side, normalisation }: { fitting: Fitting; side: number; normalisation: Normalisation },
): Float32Array {
  const { width, height, data } = picture;
  if (!(width >= 1 && height >= 1 && data.length === 3 * width * height))
    throw rewardErrors.error('GVU_REWARD_INPUT', `A picture of ${width} × ${height} has ${data.length} bytes.`, {
      hint: 'Pixels are RGB: 3 bytes for each.',
    });
  const square = fitting === 'fit' ? fitted(picture, side) : squareOf(picture, { fitting, side });
  const { scale, mean, deviation } = normalisation;
  const count = side * side;
  return Float32Array.from({ length: 3 * count }, (_, i) => {
    const channel = Math.floor(i / count);
    const value = (square[3 * (i % count) + channel] ?? 0) * scale;
    return (value - (mean[channel] ?? 0)) / (deviation[channel] ?? 1);
  });
}

/** Bytes [side, side, 3]. */
function squareOf(picture: Pixels, { fitting, side }: { fitting: Exclude<Fitting, 'fit'>; side: number }): Uint8Array {
  const { width, height } = picture;
  if (fitting === 'squeeze') return resizeBicubic(picture, { width: side, height: side }).data;
  const shortest = Math.min(width, height);
  const length = (own: number) => (own === shortest ? side : Math.trunc((side * own) / shortest));
  const resized = resizeBicubic(picture, { width: length(width), height: length(height) });
  const start = (own: number) =>
    fitting === 'crop-torchvision' ? roundHalfEven((own - side) / 2) : Math.floor((own - side) / 2);
  const [left, top] = [start(resized.width), start(resized.height)];
  const square = new Uint8Array(3 * side * side);
  for (let y = 0; y < side; y++) {
    const from = 3 * ((top + y) * resized.width + left);
    square.set(resized.data.subarray(from, from + 3 * side), 3 * y * side);
  }
  return square;
}

/** Values [side, side, 3] on the scale of bytes, neither rounded nor cut off: so does torchvision with tensors of floats. */
function fitted(picture: Pixels, side: number): Float64Array {
  const { width, height } = picture;
  const scale = side / Math.max(width, height);
  const [wide, high] = [roundHalfEven(width * scale), roundHalfEven(height * scale)];
  const across = mixed(picture.data, { length: width, to: wide, lines: height, step: 3, line: 3 * width });
  const down = mixed(across, { length: height, to: high, lines: wide, step: 3 * wide, line: 3 });
  const [left, top] = [Math.floor((side - wide) / 2), Math.floor((side - high) / 2)];
  const square = new Float64Array(3 * side * side);
  for (let y = 0; y < high; y++)
    square.set(down.subarray(3 * y * wide, 3 * (y + 1) * wide), 3 * ((top + y) * side + left));
  return square;
}

interface Walk {
  /** Elements of a line before and after. */
  readonly length: number;
  readonly to: number;
  readonly lines: number;
  /** Values from one element to the next, and from one line to the next, before. */
  readonly step: number;
  readonly line: number;
}

/** Lines resized with the cubic kernel a = -0.5, widened when shrinking: PyTorch's antialiased bicubic. */
function mixed(data: Uint8Array | Float64Array, { length, to, lines, step, line }: Walk): Float64Array {
  const scale = length / to;
  const spread = Math.max(scale, 1);
  const alongLines = step === 3;
  const result = new Float64Array(3 * lines * to);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - 2 * spread + 0.5), 0);
    const end = Math.min(Math.trunc(centre + 2 * spread + 0.5), length);
    const raw = Array.from({ length: end - start }, (_, x) => cubic((x + start - centre + 0.5) / spread));
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    for (let n = 0; n < lines; n++)
      for (let channel = 0; channel < 3; channel++) {
        const sum = raw.reduce(
          (value, weight, k) => value + weight * (data[n * line + (start + k) * step + channel] ?? 0),
          0,
        );
        result[(alongLines ? 3 * (n * to + i) : 3 * (i * lines + n)) + channel] = sum / total;
      }
  }
  return result;
}

function cubic(distance: number): number {
  const x = Math.abs(distance);
  const a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** As Python's `round`. */
function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
