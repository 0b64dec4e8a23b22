/**
 * Gradient rules of convolutions. The gradient of the image is the opposite convolution; that of the filters is one large
 * product (see `filter-gradient.ts`).
 */
import type { Node, Tensor } from '../../graph/graph.ts';
import { conv, convTranspose, turnFilters } from '../../ops/convolution.ts';
import { sum } from '../../ops/linear.ts';
import { reaches } from '../../ops/window.ts';
import type { GradientRules } from '../grad.ts';
import { filterGradient } from './filter-gradient.ts';

export const convolutionRules = {
  Conv: (node, [d]) => {
    const [x, weight, bias] = node.inputs;
    if (!d || !x || !weight) return [];
    return [
      () => imageGradient(node, d, { x, weight }),
      () => filterGradient(x, d, node.attributes),
      bias && (() => sum(d, notChannels(d))),
    ];
  },
  /** Image and gradient change places: what ConvTranspose puts out is what Conv takes in. */
  ConvTranspose: (node, [d]) => {
    const [x, weight, bias] = node.inputs;
    if (!d || !x || !weight) return [];
    const { strides, pads, dilations, group } = node.attributes;
    return [
      () => conv(d, weight, { stride: strides, pads, dilation: dilations, groups: group }),
      () => filterGradient(d, x, node.attributes),
      bias && (() => sum(d, notChannels(d))),
    ];
  },
} satisfies GradientRules;

/**
 * Without strides a convolution with the filters turned around, for which ONNX Runtime is faster than for ConvTranspose (by a
 * fifth on one thread, by more on two, and constant filters are laid out ahead).
 */
function imageGradient(node: Node<'Conv'>, d: Tensor, { x, weight }: { x: Tensor; weight: Tensor }): Tensor {
  const { strides, pads, dilations, group } = node.attributes;
  const rank = strides.length;
  const reach = reaches(node.attributes);
  const opposite = pads.map((amount, i) => (reach[i % rank] ?? 1) - 1 - amount);
  if (strides.every((step) => step === 1) && opposite.every((amount) => amount >= 0))
    return conv(d, turnFilters(weight, group), { pads: opposite, dilation: dilations, groups: group });
  // Elements at the end that no window has reached.
  const outputPadding = strides.map((step, i) => {
    const padded = (x.shape[i + 2] ?? 0) + (pads[i] ?? 0) + (pads[i + rank] ?? 0);
    return (padded - (reach[i] ?? 1)) % step;
  });
  return convTranspose(d, weight, { stride: strides, pads, dilation: dilations, groups: group, outputPadding });
}

function notChannels(d: Tensor): readonly number[] {
  return [...d.shape.keys()].filter((axis) => axis !== 1);
}
