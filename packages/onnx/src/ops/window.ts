/**
 * Windows that slide over the spatial axes of images [N, C, ...spatial], of any rank: what convolutions and pooling have in
 * common, and the elements under each window written out, which is how the decomposed forms compute.
 */
import { onnxErrors } from '../errors.ts';
import type { Tensor } from '../graph/graph.ts';
import type { WindowAttributes } from '../graph/specs/neural.ts';
import { typeText } from '../graph/specs/spec.ts';
import { sizeOf } from '../tensor-data.ts';
import { concat, pad, reshape, slice } from './movement.ts';

/** A number for all spatial axes, or one for each. */
type PerAxis = number | readonly number[];

export interface WindowOptions {
  /** Distance of neighbouring windows. Default 1. */
  readonly stride?: PerAxis;
  /** Elements added around: a number for every side, or the begins of all spatial axes followed by the ends. Default 0. */
  readonly pads?: PerAxis;
  /** Distance of neighbouring elements under a window. Default 1. */
  readonly dilation?: PerAxis;
}

/** The window's attributes as ONNX has them. Throws GVU_GRAPH_SHAPE unless the options fit the spatial axes of x. */
export function windowOf(x: Tensor, kernel: readonly number[], options: WindowOptions): WindowAttributes {
  const rank = x.shape.length - 2;
  const spread = (value: PerAxis | undefined, fallback: number, count: number) =>
    typeof value === 'object' ? value : new Array<number>(count).fill(value ?? fallback);
  const window = {
    kernel_shape: kernel,
    strides: spread(options.stride, 1, rank),
    pads: spread(options.pads, 0, 2 * rank),
    dilations: spread(options.dilation, 1, rank),
  };
  const limits = { kernel_shape: 1, strides: 1, pads: 0, dilations: 1 } as const;
  const names = ['kernel_shape', 'strides', 'pads', 'dilations'] as const;
  const problems = names.flatMap((name) => {
    const values = window[name];
    const count = name === 'pads' ? 2 * rank : rank;
    const fits = values.length === count && values.every((value) => Number.isInteger(value) && value >= limits[name]);
    return fits ? [] : [`${name} [${values.join(', ')}] are not ${count} integers from ${limits[name]}`];
  });
  if (rank < 1 || problems.length > 0)
    throw onnxErrors.error('GVU_GRAPH_SHAPE', `A window over ${typeText(x)}: ${problems.join('; ')}.`, {
      hint: 'Images are [N, C, ...spatial]; pads name the begins of all spatial axes, then the ends.',
    });
  return window;
}

/** Elements of an axis that a window reaches over. */
export function reaches({ kernel_shape, dilations }: WindowAttributes): readonly number[] {
  return kernel_shape.map((size, i) => (size - 1) * (dilations[i] ?? 1) + 1);
}

/** The number of windows along each spatial axis of x. */
export function windowCounts(x: Tensor, window: WindowAttributes): readonly number[] {
  const { strides, pads } = window;
  return reaches(window).map((reach, i) => {
    const padded = (x.shape[i + 2] ?? 0) + (pads[i] ?? 0) + (pads[i + strides.length] ?? 0);
    return Math.floor((padded - reach) / (strides[i] ?? 1)) + 1;
  });
}

/** Adds zeros (or takes elements away, where pads are negative) around the spatial axes. */
export function padSpatial(x: Tensor, pads: readonly number[]): Tensor {
  const rank = x.shape.length - 2;
  return pad(x, [
    [0, 0],
    [0, 0],
    ...Array.from({ length: rank }, (_, i) => [pads[i] ?? 0, pads[i + rank] ?? 0] as const),
  ]);
}

/**
 * For every place of the window's kernel (row-major), the elements of x that it meets at each window: tensors [N, C, ...counts]. x is
 * padded already. Only the axes in `along` are unfolded, the others keep their elements.
 */
export function patches(
  padded: Tensor,
  window: WindowAttributes,
  options: { counts: readonly number[]; along?: readonly number[] },
): readonly Tensor[] {
  const { kernel_shape, strides, dilations } = window;
  const { counts, along = [...kernel_shape.keys()] } = options;
  return along.reduce<readonly Tensor[]>(
    (parts, i) => {
      const [size = 1, step = 1, dilation = 1, count = 1] = [kernel_shape[i], strides[i], dilations[i], counts[i]];
      return parts.flatMap((part) =>
        Array.from({ length: size }, (_, place) => {
          const start = place * dilation;
          return slice(part, i + 2, { start, end: start + (count - 1) * step + 1, step });
        }),
      );
    },
    [padded],
  );
}

/** The elements of x [N, C, ...] under every window: [N, C, K, P] with K places of the kernel and P windows. */
export function unfold(x: Tensor, window: WindowAttributes): Tensor {
  const [batch = 0, channels = 0] = x.shape;
  const counts = windowCounts(x, window);
  const parts = patches(padSpatial(x, window.pads), window, { counts });
  return concat(
    parts.map((part) => reshape(part, [batch, channels, 1, sizeOf(counts)])),
    2,
  );
}
