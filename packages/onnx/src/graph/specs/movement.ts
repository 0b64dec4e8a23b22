/** Operators that move elements: reshaping, slicing, joining, gathering and scattering. */
import { DYNAMIC } from '../graph.ts';
import { sameShape, sameSize, spec } from './spec.ts';

export const movement = {
  /** Operands: x, the new shape (constant). With `allowzero` a 0 stands for itself; without, for the dimension of x there. */
  Reshape: spec<{ allowzero?: 1 }>(2, (node) => {
    const { dtype, shape } = node.operand(0);
    const target = node.ints(1);
    if (!sameSize(shape, target)) node.refuse(`[${shape.join(', ')}] cannot become [${target.join(', ')}]`);
    if (target.filter((dim) => dim === DYNAMIC).length > 1) node.refuse('only one dimension may be left open');
    if (!node.attributes.allowzero && target.some((dim, i) => dim === 0 && shape[i] !== 0))
      node.refuse('a dimension of 0 needs allowzero');
    if (node.attributes.allowzero && target.includes(0) && target.includes(DYNAMIC))
      node.refuse('no dimension may be left open beside one of 0');
    return [{ dtype, shape: target }];
  }),
  Transpose: spec<{ perm: readonly number[] }>(1, (node) => {
    const { dtype, shape } = node.operand(0);
    const { perm } = node.attributes;
    if (
      !sameShape(
        [...perm].sort((a, b) => a - b),
        [...shape.keys()],
      )
    )
      node.refuse(`perm [${perm.join(', ')}] is no permutation of its axes`);
    return [{ dtype, shape: perm.map((axis) => shape[axis] ?? 0) }];
  }),
  /** Operands: x, the shape to broadcast to (constant). */
  Expand: spec(2, (node) => {
    const { dtype, shape } = node.operand(0);
    const target = node.ints(1);
    if (target.some((dim) => dim < 0) || !sameShape(node.broadcast(shape, target), target))
      node.refuse(`does not expand to [${target.join(', ')}]`);
    return [{ dtype, shape: target }];
  }),
  /**
   * Operands: x, starts, ends, axes, steps (constants; starts and ends resolved, see `slice`). A negative end counts from the
   * back in ONNX, so "to the very front" by negative steps is written as an end below minus the length.
   */
  Slice: spec(5, (node) => {
    const { dtype, shape } = node.operand(0);
    const [starts, ends, axes, steps] = [node.ints(1), node.ints(2), node.ints(3), node.ints(4)];
    if (new Set(axes.map((axis) => node.axis(axis, shape))).size < axes.length) node.refuse('an axis is sliced twice');
    const result = [...shape];
    for (const [i, axisGiven] of axes.entries()) {
      const axis = node.axis(axisGiven, shape);
      const [start, end, step] = [starts[i], ends[i], steps[i]];
      if (start === undefined || end === undefined || !step)
        return node.refuse('starts, ends, axes and steps differ in length');
      const dim = shape[axis] ?? 0;
      if (dim === DYNAMIC) return node.refuse(`axis ${axis} changes in length`);
      const length = dim === 0 ? 0 : Math.max(0, Math.ceil((Math.max(end, -1) - start) / step));
      if (start < 0 || start > (step > 0 ? dim : Math.max(dim - 1, 0)) || end > dim || (end < 0 && end >= -dim))
        node.refuse(`[${start}:${end}:${step}] leaves axis ${axis} of length ${dim}`);
      result[axis] = length;
    }
    return [{ dtype, shape: result }];
  }),
  Concat: spec<{ axis: number }>([1, Number.POSITIVE_INFINITY], (node) => {
    const { shape } = node.operand(0);
    const axis = node.axis(node.attributes.axis, shape);
    let length = 0;
    for (const part of node.present) {
      const dim = part.shape[axis];
      if (dim === undefined || !sameShape(part.shape.toSpliced(axis, 1), shape.toSpliced(axis, 1)))
        return node.refuse(`parts differ outside axis ${axis}`);
      length = length === DYNAMIC || dim === DYNAMIC ? DYNAMIC : length + dim;
    }
    return [{ dtype: node.dtype(), shape: shape.with(axis, length) }];
  }),
  /** Operands: x, the lengths of the parts (constant). */
  Split: spec<{ axis: number }>(2, (node) => {
    const { dtype, shape } = node.operand(0);
    const axis = node.axis(node.attributes.axis, shape);
    const lengths = node.ints(1);
    const total = lengths.reduce((sum, length) => sum + length, 0);
    if (total !== shape[axis] || lengths.some((length) => length < 0))
      node.refuse(`parts of ${lengths.join(' + ')} do not make up axis ${axis}`);
    return lengths.map((length) => ({ dtype, shape: shape.with(axis, length) }));
  }),
  /** Operands: x, pads (constant: begins of all axes, then ends), value (scalar). */
  Pad: spec<{ mode: 'constant' | 'reflect' | 'edge' }>(3, (node) => {
    const { dtype, shape } = node.operand(0);
    const pads = node.ints(1);
    if (pads.length !== 2 * shape.length) node.refuse(`${pads.length} pads for rank ${shape.length}`);
    node.dtype([node.operand(0), node.operand(2)]);
    if (node.operand(2).shape.length > 0) node.refuse('the value must be a scalar');
    const padded = shape.map((dim, axis) => {
      const [before = 0, after = 0] = [pads[axis], pads[axis + shape.length]];
      if (before === 0 && after === 0) return dim;
      if (dim === DYNAMIC) return node.refuse(`axis ${axis} changes in length`);
      if (dim + Math.min(before, 0) + Math.min(after, 0) < 0) node.refuse(`pads take more than axis ${axis} has`);
      if (node.attributes.mode === 'reflect' && Math.max(before, after) >= dim)
        node.refuse(`axis ${axis} is too short to be mirrored by ${Math.max(before, after)}`);
      return dim + before + after;
    });
    return [{ dtype, shape: padded }];
  }),
  /** Operands: x, indices. Output: x with `axis` replaced by the shape of the indices. */
  Gather: spec<{ axis: number }>(2, (node) => {
    const { dtype, shape } = node.operand(0);
    node.requireDtype(1, 'int64', 'int32');
    const axis = node.axis(node.attributes.axis, shape);
    return [{ dtype, shape: [...shape.slice(0, axis), ...node.operand(1).shape, ...shape.slice(axis + 1)] }];
  }),
  GatherElements: spec<{ axis: number }>(2, (node) => {
    const { dtype, shape } = node.operand(0);
    const indices = node.operand(1);
    node.requireDtype(1, 'int64', 'int32');
    const axis = node.axis(node.attributes.axis, shape);
    if (indices.shape.length !== shape.length || indices.shape.some((dim, i) => i !== axis && dim > (shape[i] ?? 0)))
      node.refuse(`indices must fit x outside axis ${axis}`);
    return [{ dtype, shape: indices.shape }];
  }),
  ScatterElements: spec<{ axis: number; reduction: 'none' | 'add' }>(3, (node) => {
    const { dtype, shape } = node.operand(0);
    node.requireDtype(1, 'int64', 'int32');
    node.dtype([node.operand(0), node.operand(2)]);
    const axis = node.axis(node.attributes.axis, shape);
    const indices = node.operand(1);
    if (!sameShape(indices.shape, node.operand(2).shape)) node.refuse('indices and updates must have one shape');
    if (indices.shape.length !== shape.length || indices.shape.some((dim, i) => i !== axis && dim > (shape[i] ?? 0)))
      node.refuse(`indices must fit x outside axis ${axis}`);
    if (!['none', 'add'].includes(node.attributes.reduction)) node.refuse('the reduction must be none or add');
    return [{ dtype, shape }];
  }),
  /** Operands: x, indices [.., k], updates. Only `none`: the kernel for `add` races where indices repeat. */
  ScatterND: spec<{ reduction: 'none' }>(3, (node) => {
    const { dtype, shape } = node.operand(0);
    const [indices, updates] = [node.operand(1), node.operand(2)];
    node.requireDtype(1, 'int64');
    node.dtype([node.operand(0), updates]);
    // ONNX Runtime takes an unknown reduction for none.
    if (node.attributes.reduction !== 'none') node.refuse('the reduction must be none');
    const depth = indices.shape.at(-1) ?? 0;
    if (indices.shape.length === 0 || depth < 0 || depth > shape.length)
      return node.refuse('the last axis of the indices must name leading axes of x');
    if (!sameShape(updates.shape, [...indices.shape.slice(0, -1), ...shape.slice(depth)]))
      node.refuse('updates must have the shape of the indexed parts');
    return [{ dtype, shape }];
  }),
  /** Operands: indices, depth (constant), [value when off, value when on]. */
  OneHot: spec<{ axis: number }>(3, (node) => {
    const [depth] = node.ints(1);
    if (depth === undefined || depth < 1 || node.attributes.axis !== -1)
      return node.refuse('depth must be a constant from 1 and the axis the last');
    if (node.operand(0).shape.length === 0) node.refuse('the indices must have an axis');
    if (!sameShape(node.operand(2).shape, [2])) node.refuse('the values when off and on must be [2]');
    return [{ dtype: node.operand(2).dtype, shape: [...node.operand(0).shape, depth] }];
  }),
};
