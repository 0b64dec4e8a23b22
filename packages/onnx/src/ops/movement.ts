/** Reshaping, slicing, joining, gathering and scattering. */
import { onnxErrors } from '../errors.ts';
import { constant, emit, type Graph, type Tensor } from '../graph/graph.ts';
import { sameShape, typeText } from '../graph/specs/spec.ts';
import { sizeOf } from '../tensor-data.ts';
import { cast, clip, sub, where } from './arithmetic.ts';
import { cumsum } from './linear.ts';

function ints(graph: Graph, values: readonly number[]): Tensor {
  return constant(graph, 'int64', [values.length], values);
}

function positive(x: Tensor, axis: number): number {
  return axis < 0 ? axis + x.shape.length : axis;
}

/** The same elements under another shape; one dimension may be -1 and is worked out. No node when nothing changes. */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  const open = shape.indexOf(-1);
  const rest = sizeOf(shape.filter((_, i) => i !== open));
  const target = open < 0 ? shape : shape.with(open, rest === 0 ? 0 : sizeOf(x.shape) / rest);
  if (sameShape(target, x.shape)) return x;
  return emit(x.block.graph, 'Reshape', [x, ints(x.block.graph, target)], {
    attributes: target.includes(0) ? { allowzero: 1 } : {},
  })[0];
}

/** Axis i of the result is axis perm[i] of x. No node when nothing moves. */
export function transpose(x: Tensor, perm: readonly number[]): Tensor {
  if (perm.every((axis, i) => axis === i) && perm.length === x.shape.length) return x;
  return emit(x.block.graph, 'Transpose', [x], { attributes: { perm } })[0];
}

/** Broadcasts to a shape. No node when nothing changes. */
export function expand(x: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(x.shape, shape)) return x;
  // ONNX Runtime 1.30 takes an expansion of a length of 1 to 0 for one that changes nothing.
  if (shape.includes(0)) return constant(x.block.graph, x.dtype, shape, []);
  return emit(x.block.graph, 'Expand', [x, ints(x.block.graph, shape)], { attributes: {} })[0];
}

/** Adds axes of length 1 at these positions of the result. */
export function unsqueeze(x: Tensor, ...axes: readonly number[]): Tensor {
  const rank = x.shape.length + axes.length;
  const added = axes.map((axis) => (axis < 0 ? axis + rank : axis));
  if (new Set(added).size < added.length || added.some((axis) => axis < 0 || axis >= rank))
    throw onnxErrors.error('GVU_GRAPH_SHAPE', `Axes ${axes.join(', ')} cannot be added to ${typeText(x)}.`, {
      hint: 'Name different axes of the result.',
    });
  const dims = [...x.shape];
  return reshape(
    x,
    Array.from({ length: rank }, (_, i) => (added.includes(i) ? 1 : (dims.shift() ?? 1))),
  );
}

/** Removes these axes, which must be of length 1. */
export function squeeze(x: Tensor, ...axes: readonly number[]): Tensor {
  const gone = axes.map((axis) => positive(x, axis));
  for (const axis of gone)
    if (x.shape[axis] !== 1)
      throw onnxErrors.error('GVU_GRAPH_SHAPE', `Axis ${axis} of ${typeText(x)} is not of length 1.`, {
        hint: 'Squeeze axes of length 1 only.',
      });
  return reshape(
    x,
    x.shape.filter((_, i) => !gone.includes(i)),
  );
}

interface Range {
  /** First element; negative counts from the end. Default: the start (the last element when the step is negative). */
  start?: number;
  /** One past the last element; negative counts from the end. Default: as far as the axis goes. */
  end?: number;
  step?: number;
}

/** Part of an axis, with Python's rules for start, end and step. */
export function slice(x: Tensor, axis: number, range: Range): Tensor {
  const { graph } = x.block;
  const along = positive(x, axis);
  const dim = x.shape[along];
  if (dim === undefined)
    throw onnxErrors.error('GVU_GRAPH_SHAPE', `${typeText(x)} has no axis ${axis} to slice.`, {
      hint: `Axes go from 0 to ${x.shape.length - 1}, or from -1 backwards.`,
    });
  const { step = 1 } = range;
  const bound = (value: number | undefined, fallback: number) => {
    if (value === undefined) return fallback;
    const counted = value < 0 ? value + dim : value;
    return step > 0 ? Math.min(Math.max(counted, 0), dim) : Math.min(Math.max(counted, -1), dim - 1);
  };
  const first = bound(range.start, step > 0 ? 0 : dim - 1);
  const last = bound(range.end, step > 0 ? dim : -1);
  if (first === 0 && last === dim && step === 1) return x;
  const empty = step > 0 ? first >= last : first <= last;
  const [start, end] = empty ? [0, step > 0 ? 0 : dim] : [first, last];
  // ONNX counts a negative end from the back; an end before element 0 has to be written as a very small number.
  const operands = [[start], [end < 0 ? -(2 ** 31) : end], [along], [step]].map((values) => ints(graph, values));
  return emit(graph, 'Slice', [x, ...operands], { attributes: {} })[0];
}

/** The elements of an axis in reverse order. */
export function flip(x: Tensor, axis: number): Tensor {
  return slice(x, axis, { step: -1 });
}

/** Joins tensors along an axis. */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const [first] = parts;
  if (!first) throw onnxErrors.error('GVU_GRAPH_SHAPE', 'Nothing to join.', { hint: 'Give at least one tensor.' });
  return parts.length === 1
    ? first
    : emit(first.block.graph, 'Concat', parts, { attributes: { axis: positive(first, axis) } })[0];
}

/** Joins tensors of one shape along a new axis. */
export function stack(parts: readonly Tensor[], axis: number): Tensor {
  return concat(
    parts.map((part) => unsqueeze(part, axis < 0 ? axis + part.shape.length + 1 : axis)),
    axis < 0 ? axis + (parts[0]?.shape.length ?? 0) + 1 : axis,
  );
}

/** Cuts an axis into parts of these lengths. */
export function split(x: Tensor, axis: number, lengths: readonly number[]): readonly [Tensor, ...Tensor[]] {
  if (lengths.length === 1 && lengths[0] === x.shape.at(axis)) return [x];
  const { graph } = x.block;
  return emit(graph, 'Split', [x, ints(graph, lengths)], { attributes: { axis: positive(x, axis) } });
}

/** Adds elements before and after an axis (or takes them away, when negative): a constant, or the edge mirrored or repeated. */
export function pad(
  x: Tensor,
  pads: readonly (readonly [before: number, after: number])[],
  options: { value?: number; mode?: 'constant' | 'reflect' | 'edge' } = {},
): Tensor {
  const { value = 0, mode = 'constant' } = options;
  const { graph } = x.block;
  if (pads.every(([before, after]) => before === 0 && after === 0)) return x;
  const flat = [...pads.map(([before]) => before), ...pads.map(([, after]) => after)];
  return emit(graph, 'Pad', [x, ints(graph, flat), constant(graph, x.dtype, [], [value])], { attributes: { mode } })[0];
}

/** Repeats the whole of x along each axis. */
export function tile(x: Tensor, repeats: readonly number[]): Tensor {
  // [a, b] -> [1, a, 1, b] -> [r0, a, r1, b] -> [r0 a, r1 b]
  const paired = reshape(
    x,
    x.shape.flatMap((dim) => [1, dim]),
  );
  const repeated = expand(
    paired,
    x.shape.flatMap((dim, i) => [repeats[i] ?? 1, dim]),
  );
  return reshape(
    repeated,
    x.shape.map((dim, i) => dim * (repeats[i] ?? 1)),
  );
}

/** Repeats every element of an axis `count` times in place. */
export function repeatInterleave(x: Tensor, axis: number, count: number): Tensor {
  const along = positive(x, axis);
  const paired = unsqueeze(x, along + 1);
  const repeated = expand(paired, paired.shape.with(along + 1, count));
  return reshape(repeated, x.shape.with(along, (x.shape[along] ?? 0) * count));
}

/** Elements (or parts) of an axis by index: `axis` is replaced by the shape of the indices. Negative indices count from the end. */
export function gather(x: Tensor, indices: Tensor, axis = 0): Tensor {
  return emit(x.block.graph, 'Gather', [x, indices], { attributes: { axis: positive(x, axis) } })[0];
}

/** One element along `axis` for each index; indices have x's shape except along the axis. */
export function gatherElements(x: Tensor, indices: Tensor, axis: number): Tensor {
  return emit(x.block.graph, 'GatherElements', [x, indices], { attributes: { axis: positive(x, axis) } })[0];
}

/**
 * x with `updates` put at `indices` along an axis (the inverse of `gatherElements`). Reduction `none` replaces elements, and indices
 * must not repeat; `add` adds to them, also at repeated indices.
 */
export function scatterElements(
  x: Tensor,
  indices: Tensor,
  updates: Tensor,
  options: { axis: number; reduction: 'none' | 'add' },
): Tensor {
  const attributes = { axis: positive(x, options.axis), reduction: options.reduction };
  return emit(x.block.graph, 'ScatterElements', [x, indices, updates], { attributes })[0];
}

/**
 * x with parts put at indices [.., K] into its first K axes; updates are [.., rest of x]. Indices must not repeat. There is no
 * form that adds: ONNX Runtime 1.30 adds from several threads without a lock, and loses updates where indices repeat.
 */
export function scatterND(x: Tensor, indices: Tensor, updates: Tensor): Tensor {
  return emit(x.block.graph, 'ScatterND', [x, indices, updates], { attributes: { reduction: 'none' } })[0];
}

/**
 * x [.., D] with the rows where `mask` [..] (bool) holds replaced, in order, by `rows` [N, D]; what N lacks repeats the last, what it
 * has too much is left over. It is how embedded images enter a text sequence.
 */
export function replaceRows(x: Tensor, mask: Tensor, rows: Tensor): Tensor {
  const order = cumsum(cast(reshape(mask, [-1]), 'int64'), 0); // Counts from 1 at the first row to replace.
  const chosen = clip(sub(order, 1), 0, Math.max((rows.shape[0] ?? 0) - 1, 0));
  return where(unsqueeze(mask, -1), reshape(gather(rows, chosen), x.shape), x);
}

/** 1 at the index, 0 elsewhere, along a new last axis of `depth`. Negative indices count from the end. */
export function oneHot(indices: Tensor, depth: number, dtype: Tensor['dtype']): Tensor {
  const { graph } = indices.block;
  // The one combination of types that ONNX Runtime has a kernel for on every device.
  const operands = [
    cast(indices, 'int64'),
    constant(graph, 'int64', [1], [depth]),
    constant(graph, 'float32', [2], [0, 1]),
  ];
  return cast(emit(graph, 'OneHot', operands, { attributes: { axis: -1 } })[0], dtype);
}

/** A tensor of one repeated value. */
export function full(graph: Graph, type: Pick<Tensor, 'dtype' | 'shape'>, value: number): Tensor {
  return expand(constant(graph, type.dtype, [], [value]), type.shape);
}
