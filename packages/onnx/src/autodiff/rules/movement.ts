/** Gradient rules of the operators that move elements: each is the opposite movement. */
import { constant, type Tensor } from '../../graph/graph.ts';
import { constantValues } from '../../graph/specs/spec.ts';
import { add, less, mul, where } from '../../ops/arithmetic.ts';
import { gemm, sum } from '../../ops/linear.ts';
import {
  concat,
  full,
  gather,
  gatherElements,
  oneHot,
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
    const [[start = 0] = [], , [axis = 0] = [], [step = 1] = []] = bounds.map(
      (bound) => bound && constantValues(bound),
    );
    return d && x ? [() => unslice(d, x, { start, axis, step })] : [];
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
    const parts = node.outputs.map((part, i) => gradients[i] ?? full(part.block.graph, part, 0));
    return [() => concat(parts, node.attributes.axis)];
  },
  Pad: (node, [d]) => {
    const [x, pads] = node.inputs;
    const amounts = (pads && constantValues(pads)) ?? [];
    if (!d || !x || node.attributes.mode !== 'constant') return [];
    const rank = x.shape.length;
    return [
      () =>
        pad(
          d,
          x.shape.map((_, i) => [-(amounts[i] ?? 0), -(amounts[i + rank] ?? 0)] as const),
        ),
    ];
  },
  /** On matrices of embeddings by a product with one-hot rows when that is small, else by scattered addition. */
  Gather: (node, [d]) => {
    const [x, indices] = node.inputs;
    if (!d || !x || !indices) return [];
    return [() => ungather(d, x, { indices, axis: node.attributes.axis })];
  },
  GatherElements: (node, [d]) => {
    const [x, indices] = node.inputs;
    if (!d || !x || !indices) return [];
    return [
      () => scatterElements(full(x.block.graph, x, 0), indices, d, { axis: node.attributes.axis, reduction: 'add' }),
    ];
  },
  ScatterElements: (node, [d]) => {
    const [x, indices, updates] = node.inputs;
    if (!d || !x || !indices || !updates) return [];
    const { axis, reduction } = node.attributes;
    const kept = () => scatterElements(d, indices, full(d.block.graph, updates, 0), { axis, reduction: 'none' });
    return [reduction === 'add' ? () => d : kept, undefined, () => gatherElements(d, indices, axis)];
  },
  ScatterND: (node, [d]) => {
    const [x, indices, updates] = node.inputs;
    if (!d || !x || !indices || !updates) return [];
    const { reduction } = node.attributes;
    const kept = () => scatterND(d, indices, full(d.block.graph, updates, 0), { reduction: 'none' });
    return [reduction === 'add' ? () => d : kept, undefined, () => gatherParts(d, indices, updates.shape)];
  },
} satisfies GradientRules;

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

/** Largest one-hot matrix (elements) for which a product beats scattered addition, which runs on one thread. */
const ONE_HOT_LIMIT = 64 * 1024 * 1024;

function ungather(d: Tensor, x: Tensor, at: { indices: Tensor; axis: number }): Tensor {
  const { indices, axis } = at;
  const { graph } = x.block;
  const count = sizeOf(indices.shape);
  // The gathered axis goes first, the others make up the columns.
  const moved = [...x.shape.keys()].toSpliced(axis, 1);
  const gathered = [...indices.shape.keys()].map((i) => i + axis);
  const rest = [...d.shape.keys()].filter((i) => !gathered.includes(i));
  const rows = reshape(transpose(d, [...gathered, ...rest]), [count, -1]); // [N, columns]
  const size = x.shape[axis] ?? 0;
  const flat = reshape(indices, [count]);
  const inRange = where(less(flat, 0), add(flat, size), flat);
  const table =
    count * size <= ONE_HOT_LIMIT && x.dtype !== 'float64'
      ? gemm(oneHot(inRange, size, x.dtype), rows, { transA: true })
      : scatterND(
          full(graph, { dtype: x.dtype, shape: [size, rows.shape[1] ?? 1] }, 0),
          reshape(inRange, [count, 1]),
          rows,
          { reduction: 'add' },
        );
  const front = reshape(table, [size, ...moved.map((i) => x.shape[i] ?? 1)]);
  const order = [axis, ...moved];
  return transpose(
    front,
    order.map((_, i) => order.indexOf(i)),
  );
}

/** Parts of d at the index tuples of a ScatterND: the tuples become flat indices into the leading axes. */
function gatherParts(d: Tensor, indices: Tensor, shape: readonly number[]): Tensor {
  const { graph } = d.block;
  const depth = indices.shape.at(-1) ?? 0;
  const lead = d.shape.slice(0, depth);
  const strides = lead.map((_, i) => sizeOf(lead.slice(i + 1)));
  const flat = sum(mul(indices, constant(graph, 'int64', [depth], strides)), [-1]);
  return reshape(gather(reshape(d, [sizeOf(lead), ...d.shape.slice(depth)]), flat), shape);
}
