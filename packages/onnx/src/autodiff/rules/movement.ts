/** Gradient rules of the operators that move elements: each is the opposite movement. */
import { dtypes } from '../../dtype.ts';
import { onnxErrors } from '../../errors.ts';
import { constant, type Tensor } from '../../graph/graph.ts';
import { constantValues } from '../../graph/specs/spec.ts';
import { add, cast, less, mul, where } from '../../ops/arithmetic.ts';
import { sum } from '../../ops/linear.ts';
import {
  concat,
  expand,
  full,
  gather,
  gatherElements,
  pad,
  reshape,
  scatterElements,
  scatterND,
  split,
  transpose,
} from '../../ops/movement.ts';
import { sizeOf } from '../../tensor-data.ts';
import type { GradientRules } from '../grad.ts';
import { unbroadcast } from '../unbroadcast.ts';

export const movementRules = {
  Reshape: (node, [d]) => {
    const [x] = node.inputs;
    return d && x ? [() => reshape(d, x.shape)] : [];
  },
  Transpose: (node, [d]) => {
    const { perm } = node.attributes;
    return d
      ? [
          () =>
            transpose(
              d,
              perm.map((_, axis) => perm.indexOf(axis)),
            ),
        ]
      : [];
  },
  Expand: (node, [d]) => {
    const [x] = node.inputs;
    return d && x ? [() => unbroadcast(d, x.shape)] : [];
  },
  Slice: (node, [d]) => {
    const [x, ...bounds] = node.inputs;
    const [starts = [], , axes = [], steps = []] = bounds.map((bound) => bound && constantValues(bound));
    if (!d || !x) return [];
    return [
      () =>
        axes.reduce(
          (placed, axis, i) =>
            unslice(placed, x, {
              start: starts[i] ?? 0,
              axis: (axis + x.shape.length) % x.shape.length,
              step: steps[i] ?? 1,
            }),
          d,
        ),
    ];
  },
  Concat: (node, [d]) => {
    const { axis } = node.attributes;
    if (!d) return [];
    let parts: readonly Tensor[] | undefined;
    return node.inputs.map((_, i) => () => {
      parts ??= split(
        d,
        axis,
        node.inputs.map((part) => part?.shape[axis] ?? 0),
      );
      return parts[i] ?? d;
    });
  },
  Split: (node, gradients) => {
    const parts = node.outputs.map((part, i) => gradients[i] ?? zeros(part));
    return [() => concat(parts, node.attributes.axis)];
  },
  Pad: (node, [d]) => {
    const [x, pads] = node.inputs;
    const amounts = (pads && constantValues(pads)) ?? [];
    if (!d || !x) return [];
    const { mode } = node.attributes;
    if (mode !== 'constant')
      throw onnxErrors.error('GVU_AUTODIFF_NO_RULE', `'${node.name}' pads by ${mode}, which has no gradient rule.`, {
        hint: 'Pad with a constant, or put stopGradient around it.',
      });
    const rank = x.shape.length;
    return [
      () =>
        pad(
          d,
          x.shape.map((_, i) => [-(amounts[i] ?? 0), -(amounts[i + rank] ?? 0)] as const),
        ),
    ];
  },
  /** Adds each part to the place that it came from, on top of the gradient gathered so far. */
  Gather: (node, [d]) => {
    const [x, indices] = node.inputs;
    if (!d || !x || !indices) return [];
    return [(sum) => ungather(d, x, { indices, axis: node.attributes.axis, sum })];
  },
  GatherElements: (node, [d]) => {
    const [x, indices] = node.inputs;
    if (!d || !x || !indices) return [];
    const { axis } = node.attributes;
    return [(sum) => scatterSum({ x, sum }, indices, d, axis)];
  },
  ScatterElements: (node, [d]) => {
    const [x, indices, updates] = node.inputs;
    if (!d || !x || !indices || !updates) return [];
    const { axis, reduction } = node.attributes;
    const kept = () => scatterElements(d, indices, zeros(updates), { axis, reduction: 'none' });
    return [reduction === 'add' ? () => d : kept, undefined, () => gatherElements(d, indices, axis)];
  },
  ScatterND: (node, [d]) => {
    const [x, indices, updates] = node.inputs;
    if (!d || !x || !indices || !updates) return [];
    return [() => scatterND(d, indices, zeros(updates)), undefined, () => gatherParts(d, indices, updates.shape)];
  },
} satisfies GradientRules;

function zeros(like: Tensor): Tensor {
  return full(like.block.graph, like, 0);
}

/** Puts the gradient of a slice back in its place; steps other than 1 scatter by index. */
function unslice(d: Tensor, x: Tensor, range: { start: number; axis: number; step: number }): Tensor {
  const { start, axis, step } = range;
  const [taken = 0, dim = 0] = [d.shape[axis], x.shape[axis]];
  if (step === 1)
    return pad(
      d,
      x.shape.map((_, i): [number, number] => (i === axis ? [start, dim - start - taken] : [0, 0])),
    );
  // Element p of x was taken to (p - start) / step when that is a whole number in range: gather from there, else zero.
  const source = Array.from({ length: dim }, (_, p) => (p - start) / step);
  const hit = source.map((p) => Number.isInteger(p) && p >= 0 && p < taken);
  const { graph } = x.block;
  const positions = constant(
    graph,
    'int64',
    [dim],
    source.map((p, i) => (hit[i] ? p : 0)),
  );
  const mask = constant(graph, 'bool', [dim, ...x.shape.slice(axis + 1).map(() => 1)], hit);
  return where(mask, gather(d, positions, axis), 0);
}

/** [.., N, ..] -> [.., size, ..]: the parts of d summed by their index along an axis. */
function ungather(d: Tensor, x: Tensor, at: { indices: Tensor; axis: number; sum: Tensor | undefined }): Tensor {
  const { indices, axis, sum } = at;
  const count = sizeOf(indices.shape);
  const flat = [...x.shape.slice(0, axis), count, ...x.shape.slice(axis + 1)];
  const places = expand(reshape(indices, [count, ...x.shape.slice(axis + 1).map(() => 1)]), flat);
  return scatterSum({ x, sum }, places, reshape(d, flat), axis);
}

/** Adds updates at indices to the gradient gathered so far. Half precision is summed in float32: many updates may meet. */
function scatterSum(
  { x, sum }: { x: Tensor; sum: Tensor | undefined },
  indices: Tensor,
  updates: Tensor,
  axis: number,
): Tensor {
  const wide = dtypes[x.dtype].bytes < 4 ? 'float32' : x.dtype;
  const start = sum ? cast(sum, wide) : full(x.block.graph, { dtype: wide, shape: x.shape }, 0);
  return cast(scatterElements(start, indices, cast(updates, wide), { axis, reduction: 'add' }), x.dtype);
}

/** Parts of d at the index tuples of a ScatterND: the tuples become flat indices into the leading axes. */
function gatherParts(d: Tensor, indices: Tensor, shape: readonly number[]): Tensor {
  const { graph } = d.block;
  const depth = indices.shape.at(-1) ?? 0;
  const lead = d.shape.slice(0, depth);
  const perAxis = (values: readonly number[]) => constant(graph, 'int64', [depth], values);
  const fromFront = where(less(indices, 0), add(indices, perAxis(lead)), indices);
  const strides = lead.map((_, i) => sizeOf(lead.slice(i + 1)));
  const flat = sum(mul(fromFront, perAxis(strides)), [-1]);
  return reshape(gather(reshape(d, [sizeOf(lead), ...d.shape.slice(depth)]), flat), shape);
}
