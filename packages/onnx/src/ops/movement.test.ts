/** What the functions that move elements compute, against arrays on the host. Their gradients are tested with the rules. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runGraph } from '../../test/run-graph.ts';
import type { DType } from '../dtype.ts';
import { createGraph, input, output, type Tensor } from '../graph/graph.ts';
import { type TensorData, tensorData, toNumbers } from '../tensor-data.ts';
import * as ops from './movement.ts';

const seed = 20_261_123;

async function compute(
  build: (...xs: Tensor[]) => Tensor,
  ...given: readonly TensorData[]
): Promise<{ shape: readonly number[]; values: readonly number[] }> {
  const graph = createGraph();
  const xs = given.map(({ dtype, shape }, i) => input(graph, `x${i}`, { dtype, shape }));
  output('y', build(...xs));
  const { y } = await runGraph(graph, Object.fromEntries(given.map((value, i) => [`x${i}`, value])));
  return { shape: y?.shape ?? [], values: y ? toNumbers(y) : [] };
}

const count = (...shape: readonly number[]) =>
  tensorData('float32', shape, Array(shape.reduce((a, b) => a * b, 1)).keys());
const ints = (shape: readonly number[], values: readonly number[]) => tensorData('int64', shape, values);
const bools = (values: readonly number[]) => tensorData('bool', [values.length], values);

/** Python's rules, from its reference of slice.indices. */
function sliced(
  length: number,
  { start, end, step = 1 }: { start?: number; end?: number; step?: number },
): readonly number[] {
  const [least, most] = step > 0 ? [0, length] : [-1, length - 1];
  const bound = (value: number | undefined, open: number) =>
    value === undefined ? open : Math.min(Math.max(value < 0 ? value + length : value, least), most);
  const [from, to] = [bound(start, step > 0 ? least : most), bound(end, step > 0 ? most : least)];
  const taken: number[] = [];
  for (let i = from; step > 0 ? i < to : i > to; i += step) taken.push(i);
  return taken;
}

test(`slice follows Python for every start, end and step (seed ${seed})`, async () => {
  const bound = fc.option(fc.integer({ min: -9, max: 9 }), { nil: undefined });
  const step = fc.integer({ min: -4, max: 4 }).filter((value) => value !== 0);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 6 }), bound, bound, step, async (length, start, end, by) => {
      const range = { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }), step: by };
      const found = await compute((x) => ops.slice(x, -1, range), count(length));
      expect(found.values).toEqual(sliced(length, range));
    }),
    { seed, numRuns: 200 },
  );
});

test('reshape works out one dimension, also of no elements', async () => {
  expect(await compute((x) => ops.reshape(x, [-1, 2]), count(3, 4))).toMatchObject({ shape: [6, 2] });
  expect(await compute((x) => ops.reshape(x, [4, 0]), count(0, 3))).toEqual({ shape: [4, 0], values: [] });
});

test('expand repeats, also to no elements', async () => {
  expect(await compute((x) => ops.expand(x, [2, 2]), count(2, 1))).toEqual({ shape: [2, 2], values: [0, 0, 1, 1] });
  expect(await compute((x) => ops.expand(x, [0, 2]), count(1, 2))).toEqual({ shape: [0, 2], values: [] });
});

test('unsqueeze names axes of the result, squeeze of the operand', async () => {
  expect((await compute((x) => ops.unsqueeze(x, 0, -1), count(2, 3))).shape).toEqual([1, 2, 3, 1]);
  expect((await compute((x) => ops.squeeze(x, -1, 0), count(1, 2, 1))).shape).toEqual([2]);
});

test('tile repeats the whole, repeatInterleave each element', async () => {
  expect((await compute((x) => ops.tile(x, [1, 2]), count(2, 2))).values).toEqual([0, 1, 0, 1, 2, 3, 2, 3]);
  expect((await compute((x) => ops.repeatInterleave(x, -1, 2), count(2, 2))).values).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
});

test('stack makes a new axis, counted in the result', async () => {
  const pair = [count(2), count(2)] as const;
  expect(await compute((a, b) => ops.stack([a, b], -1), ...pair)).toEqual({ shape: [2, 2], values: [0, 0, 1, 1] });
  expect(await compute((a, b) => ops.stack([a, b], 0), ...pair)).toEqual({ shape: [2, 2], values: [0, 1, 0, 1] });
});

test('pad adds a value, mirrors, repeats the edge, or takes away', async () => {
  const around = [[2, 1]] as const;
  expect((await compute((x) => ops.pad(x, around, { value: 9 }), count(3))).values).toEqual([9, 9, 0, 1, 2, 9]);
  expect((await compute((x) => ops.pad(x, around, { mode: 'reflect' }), count(3))).values).toEqual([2, 1, 0, 1, 2, 1]);
  expect((await compute((x) => ops.pad(x, around, { mode: 'edge' }), count(3))).values).toEqual([0, 0, 0, 1, 2, 2]);
  expect((await compute((x) => ops.pad(x, [[-1, 1]]), count(3))).values).toEqual([1, 2, 0]);
});

test('negative indices count from the end', async () => {
  expect((await compute((x, i) => ops.gather(x, i), count(3, 2), ints([2], [-1, 0]))).values).toEqual([4, 5, 0, 1]);
  const elements = compute((x, i) => ops.gatherElements(x, i, -1), count(2, 3), ints([2, 1], [-1, -3]));
  expect((await elements).values).toEqual([2, 3]);
});

test.each(['float32', 'float64', 'int64', 'int32'] satisfies DType[])('oneHot in %s', async (dtype) => {
  const found = await compute((i) => ops.oneHot(i, 3, dtype), ints([2], [2, -3]));
  expect(found).toEqual({ shape: [2, 3], values: [0, 0, 1, 1, 0, 0] });
});

test('oneHot of int32 indices', async () => {
  expect((await compute((i) => ops.oneHot(i, 2, 'float32'), tensorData('int32', [1], [1]))).values).toEqual([0, 1]);
});

test('scattering puts elements where gathering takes them', async () => {
  const places = ints([2, 2], [3, 0, 1, -1]);
  const put = (reduction: 'none' | 'add') => (x: Tensor, i: Tensor, u: Tensor) =>
    ops.scatterElements(x, i, u, { axis: 1, reduction });
  const updates = tensorData('float32', [2, 2], [10, 20, 30, 40]);
  expect((await compute(put('none'), count(2, 4), places, updates)).values).toEqual([20, 1, 2, 10, 4, 30, 6, 40]);
  expect((await compute(put('add'), count(2, 4), places, updates)).values).toEqual([20, 1, 2, 13, 4, 35, 6, 47]);
  const parts = compute(ops.scatterND, count(3, 2), ints([1, 1], [-1]), tensorData('float32', [1, 2], [10, 20]));
  expect((await parts).values).toEqual([0, 1, 2, 3, 10, 20]);
});

test('replaceRows fills masked rows in order; too few rows repeat the last, too many are left over', async () => {
  const rows = tensorData('float32', [2, 1], [10, 20]);
  const replace = async (mask: readonly number[]) =>
    (await compute(ops.replaceRows, count(4, 1), bools(mask), rows)).values;
  expect(await replace([0, 1, 0, 1])).toEqual([0, 10, 2, 20]);
  expect(await replace([1, 1, 1, 0])).toEqual([10, 20, 20, 3]);
  expect(await replace([0, 0, 0, 1])).toEqual([0, 1, 2, 10]);
  expect(await replace([0, 0, 0, 0])).toEqual([0, 1, 2, 3]);
});

test('nothing is built where nothing changes', () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [2, 3] });
  const same = [
    ops.reshape(x, [2, -1]),
    ops.transpose(x, [0, 1]),
    ops.expand(x, [2, 3]),
    ops.slice(x, 0, { start: -2 }),
    ops.split(x, 1, [3])[0],
    ops.concat([x], 0),
    ops.pad(x, [
      [0, 0],
      [0, 0],
    ]),
  ];
  for (const y of same) expect(y).toBe(x);
  expect(graph.main.nodes).toEqual([]);
});

test('what does not fit is refused', () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [2, 3] });
  const wrong = [
    () => ops.squeeze(x, 0),
    () => ops.unsqueeze(x, 1, 1),
    () => ops.unsqueeze(x, 3),
    () => ops.reshape(x, [4]),
    () => ops.expand(x, [3, 3]),
    () => ops.transpose(x, [0, 0]),
    () => ops.concat([], 0),
    () => ops.split(x, 1, [1, 1]),
    () => ops.gather(x, x),
  ];
  for (const build of wrong) expect(build).toThrow(/GVU_GRAPH_(SHAPE|DTYPE)/);
});
