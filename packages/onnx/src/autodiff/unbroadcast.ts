/** Broadcasting and its adjoint, as gradient rules need them. */
import type { Tensor } from '../graph/graph.ts';
import { sameShape } from '../graph/specs/spec.ts';
import { sum } from '../ops/linear.ts';
import { expand, reshape } from '../ops/movement.ts';

/** Reduces a gradient of a broadcast result to the shape that the operand had: sums over the axes along which it was repeated. */
export function unbroadcast(gradient: Tensor, shape: readonly number[]): Tensor {
  const added = gradient.shape.length - shape.length;
  const axes = [...gradient.shape.keys()].filter(
    (axis) => axis < added || (shape[axis - added] === 1 && gradient.shape[axis] !== 1),
  );
  return reshape(axes.length > 0 ? sum(gradient, axes, { keepDims: true }) : gradient, shape);
}

/**
 * What an element-wise rule makes of a gradient, at full shape. A gradient that a reduction has just expanded is given to the
 * rule as it was before: broadcasting expands it again, at no cost, where it meets the other operand.
 */
export function elementwise(d: Tensor, derivative: (d: Tensor) => Tensor): Tensor {
  const { source } = d;
  const thin = source.kind === 'node' && source.node.op === 'Expand' ? (source.node.inputs[0] ?? d) : d;
  const result = derivative(thin);
  if (sameShape(result.shape, d.shape)) return result;
  return result === thin ? d : expand(result, d.shape);
}
