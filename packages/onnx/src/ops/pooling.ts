/** Averages and maxima under windows that slide over the spatial axes of images [N, C, ...spatial]. */
import { onnxErrors } from '../errors.ts';
import { constant, emit, type Tensor } from '../graph/graph.ts';
import type { WindowAttributes } from '../graph/specs/neural.ts';
import { typeText } from '../graph/specs/spec.ts';
import { inferOutputs } from '../graph/specs.ts';
import { sizeOf } from '../tensor-data.ts';
import { mul } from './arithmetic.ts';
import { sum } from './linear.ts';
import { reshape } from './movement.ts';
import { unfold, type WindowOptions, windowCounts, windowOf } from './window.ts';

export interface PoolOptions extends Omit<WindowOptions, 'dilation'> {
  /** Length of the window: a number for all spatial axes, or one for each. */
  readonly kernel: number | readonly number[];
  /** Default: the kernel, so that windows tile the image. */
  readonly stride?: number | readonly number[];
}

/** The mean of each window. Elements added by `pads` count as zeros (default), or not at all. */
export function avgPool(x: Tensor, options: PoolOptions & { countIncludePad?: boolean }): Tensor {
  const { graph } = x.block;
  const { countIncludePad = true } = options;
  const { dilations: _, ...window } = poolWindow(x, options);
  const attributes = { ...window, count_include_pad: countIncludePad ? 1 : 0 } as const;
  if (graph.target !== 'reference' && x.dtype !== 'float64') return emit(graph, 'AveragePool', [x], { attributes })[0];
  inferOutputs('AveragePool', [x], attributes, { name: 'avgPool', opset: graph.opset }); // refuses what does not fit
  const dilated = { ...window, dilations: window.strides.map(() => 1) };
  const total = sum(unfold(x, dilated), [2]); // [N, C, P]
  const y = reshape(total, [...x.shape.slice(0, 2), ...windowCounts(x, dilated)]);
  return mul(y, windowShares(x, dilated, countIncludePad));
}

/** The largest element of each window; where several tie, the gradient goes to the first. */
export function maxPool(x: Tensor, options: PoolOptions & { dilation?: number | readonly number[] }): Tensor {
  return emit(x.block.graph, 'MaxPool', [x], { attributes: poolWindow(x, options) })[0];
}

/** 1 / the number of elements that count in each window: [...counts], or a scalar where it is everywhere the same. */
export function windowShares(x: Tensor, window: WindowAttributes, countIncludePad: boolean): Tensor {
  const { kernel_shape, strides, pads } = window;
  const { graph } = x.block;
  if (countIncludePad || pads.every((amount) => amount === 0))
    return constant(graph, x.dtype, [], [1 / sizeOf(kernel_shape)]);
  const counts = windowCounts(x, window);
  const shares = counts.reduce<readonly number[]>(
    (outer, count, axis) => {
      const [length = 0, size = 1, step = 1, before = 0] = [
        x.shape[axis + 2],
        kernel_shape[axis],
        strides[axis],
        pads[axis],
      ];
      const inside = Array.from({ length: count }, (_, i) => {
        const start = i * step - before;
        return Math.min(start + size, length) - Math.max(start, 0);
      });
      return outer.flatMap((share) => inside.map((elements) => share / elements));
    },
    [1],
  );
  return constant(graph, x.dtype, counts, shares);
}

function poolWindow(x: Tensor, options: PoolOptions & WindowOptions): WindowAttributes {
  const { kernel, stride = kernel } = options;
  const size = typeof kernel === 'number' ? x.shape.slice(2).map(() => kernel) : kernel;
  const window = windowOf(x, size, { ...options, stride });
  if (window.pads.some((amount, i) => amount >= (size[i % size.length] ?? 0)))
    throw onnxErrors.error(
      'GVU_GRAPH_SHAPE',
      `Pads [${window.pads.join(', ')}] around ${typeText(x)} hold whole windows of [${size.join(', ')}].`,
      { hint: 'Pads of a pooling window stay below its length.' },
    );
  return window;
}
