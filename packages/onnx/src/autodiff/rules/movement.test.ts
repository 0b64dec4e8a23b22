/** Rules of the operators that move elements against central differences in float64, and what the two kernels for repeated indices do under threads. */
import ort from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { type GradientCase, testGradients } from '../../../test/gradient-case.ts';
import { useSharedRuntime } from '../../../test/shared-runtime.ts';
import { compile } from '../../codec/encode.ts';
import { constant, createGraph, emit, input, output, type Tensor } from '../../graph/graph.ts';
import { exp, mul } from '../../ops/arithmetic.ts';
import * as ops from '../../ops/movement.ts';
import { tensorData } from '../../tensor-data.ts';
import { gradients } from '../grad.ts';
import type { movementRules } from './movement.ts';

useSharedRuntime();

const A = { shape: [2, 3, 4] };
const indices = (shape: readonly number[], values: readonly number[]) => tensorData('int64', shape, values);
const one = (what: string, build: GradientCase['build'], ...inputs: GradientCase['inputs']): GradientCase => ({
  what,
  build,
  inputs,
});

const ranges = [
  { start: 1 },
  { end: -1 },
  { start: -3, end: -1 },
  { step: 2 },
  { start: 1, step: 3 },
  { step: -1 },
  { start: -1, end: 0, step: -2 },
  { start: 3, end: 100 },
  { start: 4, end: 2 },
  { start: 5, end: 1, step: -3 },
];

const cases: Record<keyof typeof movementRules, readonly GradientCase[]> = {
  Reshape: [
    one('to other axes', (x) => exp(ops.reshape(x, [6, -1])), A),
    one('to a scalar', (x) => ops.reshape(x, []), { shape: [1, 1] }),
    one('without elements', (x) => ops.reshape(x, [3, 0]), { shape: [0, 5] }),
    one('before an expansion to no elements', (x) => ops.expand(ops.reshape(x, [1, 3]), [0, 3]), { shape: [3] }),
    one('squeeze and unsqueeze', (x) => exp(ops.unsqueeze(ops.squeeze(x, -2), 0, -1)), { shape: [2, 1, 3] }),
    one('tile', (x) => exp(ops.tile(x, [2, 3])), { shape: [2, 3] }),
    one('repeatInterleave', (x) => exp(ops.repeatInterleave(x, -2, 3)), A),
  ],
  Transpose: [
    [1, 0, 2],
    [2, 0, 1],
    [1, 2, 0],
  ].map((perm) => one(`by [${perm}]`, (x) => exp(ops.transpose(x, perm)), A)),
  Expand: [
    one('axes of length 1', (x) => exp(ops.expand(x, [2, 3, 4])), { shape: [1, 3, 1] }),
    one('new axes', (x) => exp(ops.expand(x, [2, 2, 3])), { shape: [3] }),
    one('a scalar', (x) => exp(ops.expand(x, [2, 2])), { shape: [] }),
    one('that meets broadcasting again', (x, y) => mul(ops.expand(x, [2, 3]), y), { shape: [3] }, { shape: [2, 1] }),
  ],
  Slice: [
    ...ranges.flatMap((range) =>
      [0, -1].map((axis) =>
        one(`${JSON.stringify(range)} of axis ${axis}`, (x) => exp(ops.slice(x, axis, range)), { shape: [6, 2, 6] }),
      ),
    ),
    one('flip', (x) => exp(ops.flip(x, 1)), A),
    one('several axes in one node', severalAxes, { shape: [4, 3, 5] }),
  ],
  Concat: [
    one(
      'three parts',
      (a, b, c) => exp(ops.concat([a, b, c], -1)),
      { shape: [2, 3] },
      { shape: [2, 1] },
      { shape: [2, 4] },
    ),
    one('a part without elements', (a, b) => exp(ops.concat([a, b], 0)), { shape: [2, 3] }, { shape: [0, 3] }),
    one('one tensor twice', (a) => exp(ops.concat([a, a], 0)), { shape: [2, 3] }),
    one('stack', (a, b) => exp(ops.stack([a, b], -2)), { shape: [2, 3] }, { shape: [2, 3] }),
  ],
  Split: [
    one('one part used', (x) => exp(ops.split(x, 1, [2, 4, 1])[1] ?? x), { shape: [2, 7] }),
    one('all parts used', (x) => products(ops.split(x, -1, [2, 2, 2])), { shape: [2, 6] }),
    one('an empty part', (x) => exp(ops.split(x, 0, [0, 3])[1] ?? x), { shape: [3, 2] }),
  ],
  Pad: [
    one(
      'with a constant',
      (x) =>
        exp(
          ops.pad(
            x,
            [
              [1, 2],
              [0, 1],
            ],
            { value: -0.5 },
          ),
        ),
      { shape: [2, 3] },
    ),
    one(
      'taking away',
      (x) =>
        exp(
          ops.pad(x, [
            [-1, 2],
            [1, -1],
          ]),
        ),
      { shape: [3, 4] },
    ),
  ],
  Gather: [
    one('rows, repeated', (x, i) => exp(ops.gather(x, i)), { shape: [4, 3] }, indices([2, 3], [1, 1, 3, 0, 1, 3])),
    one(
      'an axis in the middle',
      (x, i) => exp(ops.gather(x, i, 1)),
      { shape: [3, 5, 2] },
      indices([2, 2], [4, 0, 4, 4]),
    ),
    one(
      'the last axis, counted from the end',
      (x, i) => exp(ops.gather(x, i, -1)),
      { shape: [2, 4] },
      indices([3], [-1, 0, -4]),
    ),
    one('one index', (x, i) => exp(ops.gather(x, i)), { shape: [3, 2] }, indices([], [-2])),
    one('int32 indices', (x, i) => exp(ops.gather(x, i)), { shape: [3, 2] }, tensorData('int32', [2], [2, 2])),
    one('no indices', (x, i) => ops.gather(x, i), { shape: [3, 2] }, indices([0], [])),
    one(
      'one table twice',
      (x, i) => mul(ops.gather(x, i), exp(ops.gather(x, i))),
      { shape: [3, 2] },
      indices([4], [0, 2, 2, 2]),
    ),
  ],
  GatherElements: [
    one(
      'repeated',
      (x, i) => exp(ops.gatherElements(x, i, 1)),
      { shape: [2, 4] },
      indices([2, 3], [0, 0, 3, 2, -1, 3]),
    ),
    one(
      'fewer rows than x',
      (x, i) => exp(ops.gatherElements(x, i, -1)),
      { shape: [3, 4] },
      indices([2, 5], [0, 1, 2, 3, 0, -4, 1, 1, 2, 2]),
    ),
    one(
      'on top of another gradient',
      (x, i) => mul(ops.gatherElements(x, i, 1), exp(x)),
      { shape: [2, 3] },
      indices([2, 1], [2, 0]),
    ),
  ],
  ScatterElements: [
    one(
      'replacing',
      (x, i, u) => exp(ops.scatterElements(x, i, u, { axis: 1, reduction: 'none' })),
      { shape: [2, 4] },
      indices([2, 2], [0, -1, 2, 1]),
      { shape: [2, 2] },
    ),
    one(
      'adding, repeated',
      (x, i, u) => exp(ops.scatterElements(x, i, u, { axis: 0, reduction: 'add' })),
      { shape: [3, 2] },
      indices([4, 2], [0, 1, 0, -1, 0, 2, 1, 1]),
      { shape: [4, 2] },
    ),
  ],
  ScatterND: [
    one('rows', (x, i, u) => exp(ops.scatterND(x, i, u)), { shape: [4, 3] }, indices([2, 1], [2, 0]), {
      shape: [2, 3],
    }),
    one(
      'elements, counted from the end',
      (x, i, u) => exp(ops.scatterND(x, i, u)),
      { shape: [3, 4] },
      indices([3, 2], [-1, 0, 0, -2, 1, 1]),
      { shape: [3] },
    ),
    one('blocks', (x, i, u) => exp(ops.scatterND(x, i, u)), { shape: [2, 3, 2] }, indices([2, 1, 2], [0, -1, 1, 0]), {
      shape: [2, 1, 2],
    }),
  ],
};

testGradients(cases);

function severalAxes(x: Tensor): Tensor {
  const ints = (values: readonly number[]) => constant(x.block.graph, 'int64', [values.length], values);
  const operands = [
    [1, 4],
    [4, -100],
    [0, -1],
    [2, -2],
  ].map(ints);
  return exp(emit(x.block.graph, 'Slice', [x, ...operands], { attributes: {} })[0]);
}

function products([first, ...rest]: readonly [Tensor, ...Tensor[]]): Tensor {
  return rest.reduce((product, part) => mul(product, part), first);
}

test('padding by reflection has no gradient, which is an error and not a zero', () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [3] });
  const y = ops.pad(x, [[1, 1]], { mode: 'reflect' });
  expect(() => gradients(y, [x], { seed: y })).toThrow(/GVU_AUTODIFF_NO_RULE.*reflect/);
});

test('adding at repeated indices loses nothing, on any number of threads', async () => {
  const [rows, size, width] = [20_000, 3, 256];
  const graph = createGraph();
  const table = input(graph, 'table', { dtype: 'float32', shape: [size, width] });
  const ids = input(graph, 'ids', { dtype: 'int64', shape: [rows] });
  const looked = ops.gather(table, ids);
  const [gradient] = gradients(looked, [table], { seed: ops.full(graph, looked, 1) });
  if (gradient) output('gradient', gradient);
  const session = await ort.InferenceSession.create(compile(graph).model, { intraOpNumThreads: 4 });
  const feeds = {
    table: new ort.Tensor('float32', new Float32Array(size * width), [size, width]),
    ids: new ort.Tensor(
      'int64',
      BigInt64Array.from({ length: rows }, (_, i) => BigInt(i % size)),
      [rows],
    ),
  };
  const expected = Float32Array.from({ length: size * width }, (_, i) =>
    Math.ceil((rows - Math.floor(i / width)) / size),
  );
  for (let run = 0; run < 5; run++) {
    const results = await session.run(feeds);
    expect(results.gradient?.data).toEqual(expected);
  }
  await session.release();
});
