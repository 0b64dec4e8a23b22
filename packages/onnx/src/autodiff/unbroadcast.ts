/** The adjoint of broadcasting: sums a gradient over the axes along which an operand was repeated. */
import type { Tensor } from '../graph/graph.ts';
import { sum } from '../ops/linear.ts';
import { reshape } from '../ops/movement.ts';

/** Reduces a gradient of a broadcast result to the shape that the operand had. */
export function unbroadcast(gradient: Tensor, shape: readonly number[]): Tensor {
  const added = gradient.shape.length - shape.length;
  const axes = [...gradient.shape.keys()].filter(
    (axis) => axis < added || (shape[axis - added] === 1 && gradient.shape[axis] !== 1),
  );
  return reshape(axes.length > 0 ? sum(gradient, axes, { keepDims: true }) : gradient, shape);
}
