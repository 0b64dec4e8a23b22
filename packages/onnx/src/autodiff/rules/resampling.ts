/** Gradient rules of pooling and nearest resizing: each hands the gradient back to the elements that the operator read. */
import { onnxErrors } from '../../errors.ts';
import type { Node, Tensor } from '../../graph/graph.ts';
import { sameShape } from '../../graph/specs/spec.ts';
import { cast, mul } from '../../ops/arithmetic.ts';
import { convTranspose } from '../../ops/convolution.ts';
import { full, pad, reshape, scatterElements } from '../../ops/movement.ts';
import { statisticsDType } from '../../ops/norms.ts';
import { avgPool, windowShares } from '../../ops/pooling.ts';
import { resizeNearest } from '../../ops/resize.ts';
import { sizeOf } from '../../tensor-data.ts';
import type { GradientRules } from '../grad.ts';

export const resamplingRules = {
  AveragePool: (node, [d]) => {
    const [x] = node.inputs;
    return d && x ? [() => spread(node, d, x)] : [];
  },
  /** To the element that was the largest, by the index that the operator puts out. */
  MaxPool: (node, [d]) => {
    const [x] = node.inputs;
    const [, indices] = node.outputs;
    if (!d || !x || !indices) return [];
    return [
      () => {
        // In half precision sums would round at every step, and ONNX Runtime's CPU kernel refuses.
        const dtype = statisticsDType(x.dtype);
        const zeros = full(x.block.graph, { dtype, shape: [sizeOf(x.shape)] }, 0);
        const [places, updates] = [reshape(indices, [-1]), reshape(cast(d, dtype), [-1])];
        const total = scatterElements(zeros, places, updates, { axis: 0, reduction: 'add' });
        return cast(reshape(total, x.shape), x.dtype);
      },
    ];
  },
  /** Nearest by whole factors, the only form that is built here: every element was repeated, so the copies are summed. */
  Resize: (node, [d]) => {
    const [x] = node.inputs;
    if (!d || !x) return [];
    const { mode, coordinate_transformation_mode } = node.attributes;
    const factors = x.shape.slice(2).map((length, i) => (d.shape[i + 2] ?? 0) / length);
    if (mode !== 'nearest' || coordinate_transformation_mode !== 'asymmetric' || !factors.every(Number.isInteger))
      throw onnxErrors.error('GVU_AUTODIFF_NO_RULE', `'${node.name}' resizes in a way that has no gradient rule.`, {
        hint: 'Build it by resizeNearest or resizeBilinear, or put stopGradient around it.',
      });
    return [() => mul(avgPool(d, { kernel: factors }), sizeOf(factors))];
  },
} satisfies GradientRules;

/** Every element of a window gets the same share. Where windows tile the image, that is nearest resizing. */
function spread(node: Node<'AveragePool'>, d: Tensor, x: Tensor): Tensor {
  const { kernel_shape: kernel, strides, pads, count_include_pad } = node.attributes;
  const [, channels = 0, ...spatial] = x.shape;
  const window = { kernel_shape: kernel, strides, pads, dilations: strides.map(() => 1) };
  const shared = mul(d, windowShares(x, window, count_include_pad === 1));
  const rank = kernel.length;
  const unread = spatial.map((length, i) => {
    const padded = length + (pads[i] ?? 0) + (pads[i + rank] ?? 0);
    return (padded - (kernel[i] ?? 1)) % (strides[i] ?? 1);
  });
  if (sameShape(strides, kernel) && pads.every((amount) => amount === 0)) {
    const tiled = resizeNearest(
      shared,
      d.shape.slice(2).map((count, i) => count * (kernel[i] ?? 1)),
    );
    return pad(tiled, [[0, 0], [0, 0], ...unread.map((length) => [0, length] as const)]);
  }
  const ones = full(x.block.graph, { dtype: x.dtype, shape: [channels, 1, ...kernel] }, 1);
  return convTranspose(shared, ones, { stride: strides, pads, groups: channels, outputPadding: unread });
}
