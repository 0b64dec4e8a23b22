/**
 * Convolutions over images [N, C, ...spatial] with one, two or three spatial axes, and their adjoint. ONNX Runtime has no
 * float64 kernels for them: there, and on the `reference` target, they are products with the unfolded image.
 */
import { onnxErrors } from '../errors.ts';
import { emit, type Tensor } from '../graph/graph.ts';
import type { WindowAttributes } from '../graph/specs/neural.ts';
import { typeText } from '../graph/specs/spec.ts';
import { inferOutputs } from '../graph/specs.ts';
import { sizeOf } from '../tensor-data.ts';
import { add } from './arithmetic.ts';
import { matmul } from './linear.ts';
import { flip, pad, reshape, transpose } from './movement.ts';
import { reaches, unfold, type WindowOptions, windowCounts, windowOf } from './window.ts';

export interface ConvOptions extends WindowOptions {
  /** [M] */
  readonly bias?: Tensor | undefined;
  /** Channels and filters fall into this many groups that do not meet; as many as channels: depthwise. Default 1. */
  readonly groups?: number;
}

/**
 * x [N, C, ...spatial] with the filters `weight` [M, C / groups, ...kernel]: [N, M, ...]. Of rank 3 to 5; pads may differ
 * from side to side.
 */
export function conv(x: Tensor, weight: Tensor, options: ConvOptions = {}): Tensor {
  const { graph } = x.block;
  const { bias, groups = 1 } = options;
  const window = windowOf(x, weight.shape.slice(2), options);
  const inputs = bias ? [x, weight, bias] : [x, weight];
  const attributes = { ...window, group: groups };
  if (isFused(x)) return emit(graph, 'Conv', inputs, { attributes })[0];
  inferOutputs('Conv', inputs, attributes, { name: 'conv', opset: graph.opset }); // refuses what does not fit
  return biased(convByProducts(x, weight, attributes), bias);
}

/**
 * The adjoint of `conv` ("deconvolution"): x [N, C, ...spatial], `weight` [C, M / groups, ...kernel] -> [N, M, ...] of lengths
 * (L - 1) stride + dilation (k - 1) + 1 - pads + outputPadding. `outputPadding` is less than the stride and adds at the ends.
 */
export function convTranspose(
  x: Tensor,
  weight: Tensor,
  options: ConvOptions & { outputPadding?: number | readonly number[] } = {},
): Tensor {
  const { graph } = x.block;
  const { bias, groups = 1, outputPadding = 0 } = options;
  const window = windowOf(x, weight.shape.slice(2), options);
  const { strides } = window;
  const extra = typeof outputPadding === 'number' ? strides.map(() => outputPadding) : outputPadding;
  if (extra.length !== strides.length || !extra.every((value, i) => value >= 0 && value < (strides[i] ?? 0)))
    throw onnxErrors.error(
      'GVU_GRAPH_SHAPE',
      `The output padding [${extra.join(', ')}] of ${typeText(x)} does not stay below the strides [${strides.join(', ')}].`,
      { hint: 'It tells apart the lengths that a strided convolution maps to one.' },
    );
  const inputs = bias ? [x, weight, bias] : [x, weight];
  const attributes = { ...window, group: groups, output_padding: extra };
  if (isFused(x)) return emit(graph, 'ConvTranspose', inputs, { attributes })[0];
  inferOutputs('ConvTranspose', inputs, attributes, { name: 'convTranspose', opset: graph.opset });
  const rank = strides.length;
  const reach = reaches(window);
  const around = (side: number) => reach.map((length, i) => length - 1 - (window.pads[i + side * rank] ?? 0));
  const ends = around(1).map((length, i) => length + (extra[i] ?? 0) - (strides[i] ?? 1) + 1);
  const y = convByProducts(spreadOut(x, strides), turnFilters(weight, groups), {
    ...window,
    strides: strides.map(() => 1),
    pads: [...around(0), ...ends],
    group: groups,
  });
  return biased(y, bias);
}

/** Filters [G * A, B, ...kernel] as those of the opposite direction [G * B, A, ...kernel], turned back to front. */
export function turnFilters(weight: Tensor, groups: number): Tensor {
  const [outer = 0, inner = 0, ...kernel] = weight.shape;
  const grouped = reshape(weight, [groups, outer / groups, inner, ...kernel]);
  const swapped = transpose(grouped, [0, 2, 1, ...kernel.map((_, i) => i + 3)]);
  const turned = reshape(swapped, [groups * inner, outer / groups, ...kernel]);
  return kernel.reduce((filters, size, i) => (size > 1 ? flip(filters, i + 2) : filters), turned);
}

function convByProducts(x: Tensor, weight: Tensor, window: WindowAttributes & { group: number }): Tensor {
  const { group } = window;
  const [batch = 0] = x.shape;
  const [filters = 0, ...filter] = weight.shape;
  const counts = windowCounts(x, window);
  const patches = reshape(unfold(x, window), [batch, group, sizeOf(filter), sizeOf(counts)]);
  const y = matmul(reshape(weight, [group, filters / group, sizeOf(filter)]), patches); // [N, G, M / G, P]
  return reshape(y, [batch, filters, ...counts]);
}

/** Puts stride - 1 zeros behind every element of the spatial axes. */
function spreadOut(x: Tensor, strides: readonly number[]): Tensor {
  const [batch = 0, channels = 0, ...spatial] = x.shape;
  const apart = reshape(x, [batch, channels, ...spatial.flatMap((length) => [length, 1])]);
  const filled = pad(apart, [[0, 0], [0, 0], ...strides.flatMap((step) => [[0, 0] as const, [0, step - 1] as const])]);
  return reshape(filled, [batch, channels, ...spatial.map((length, i) => length * (strides[i] ?? 1))]);
}

function isFused(x: Tensor): boolean {
  return x.block.graph.target !== 'reference' && x.dtype !== 'float64';
}

function biased(y: Tensor, bias: Tensor | undefined): Tensor {
  return bias ? add(y, reshape(bias, [-1, ...y.shape.slice(2).map(() => 1)])) : y;
}
