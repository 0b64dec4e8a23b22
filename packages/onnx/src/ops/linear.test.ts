import { expect, test } from 'vitest';
import { runGraph } from '../../test/run-graph.ts';
import { createGraph, input, output, type Tensor } from '../graph/graph.ts';
import { type TensorData, tensorData, toNumbers } from '../tensor-data.ts';
import * as ops from './linear.ts';

async function compute(
  build: (...xs: Tensor[]) => Tensor,
  ...given: readonly TensorData[]
): Promise<{ shape: readonly number[]; values: readonly number[] }> {
  const graph = createGraph({ target: 'reference' });
  const xs = given.map(({ dtype, shape }, i) => input(graph, `x${i}`, { dtype, shape }));
  output('y', build(...xs));
  const { y } = await runGraph(graph, Object.fromEntries(given.map((value, i) => [`x${i}`, value])));
  return { shape: y?.shape ?? [], values: y ? toNumbers(y) : [] };
}

const x = tensorData('float64', [2, 3], [1, 5, 3, -2, 4, 4]);

test('reductions over some axes, all, and none', async () => {
  expect(await compute((a) => ops.sum(a), x)).toEqual({ shape: [], values: [15] });
  expect(await compute((a) => ops.sum(a, []), x)).toEqual({ shape: [2, 3], values: [1, 5, 3, -2, 4, 4] });
  expect(await compute((a) => ops.mean(a, [-1], { keepDims: true }), x)).toEqual({ shape: [2, 1], values: [3, 2] });
  expect((await compute((a) => ops.reduceMax(a, [0]), x)).values).toEqual([1, 5, 4]);
  expect((await compute((a) => ops.reduceMin(a, [0]), x)).values).toEqual([-2, 4, 3]);
  expect((await compute((a) => ops.reduceProd(a, [1]), x)).values).toEqual([15, -32]);
});

test('variance of a population and of a sample', async () => {
  expect((await compute((a) => ops.variance(a, [1]), x)).values).toEqual([8 / 3, 8]);
  const sample = await compute((a) => ops.variance(a, [-1], { correction: 1, keepDims: true }), x);
  expect(sample).toEqual({ shape: [2, 1], values: [4, 12] });
});

test('cumsum from either side, with or without the element itself', async () => {
  const row = tensorData('float64', [3], [1, 2, 4]);
  const sums = async (options: { exclusive?: boolean; reverse?: boolean }) =>
    (await compute((a) => ops.cumsum(a, -1, options), row)).values;
  expect(await sums({})).toEqual([1, 3, 7]);
  expect(await sums({ exclusive: true })).toEqual([0, 1, 3]);
  expect(await sums({ reverse: true })).toEqual([7, 6, 4]);
  expect(await sums({ exclusive: true, reverse: true })).toEqual([6, 4, 0]);
});

test('argmax takes the first of equals; topK descends', async () => {
  expect((await compute((a) => ops.argmax(a, 1), x)).values).toEqual([1, 1]);
  expect((await compute((a) => ops.topK(a, 2).values, x)).values).toEqual([5, 3, 4, 4]);
  expect((await compute((a) => ops.topK(a, 2, 0).indices, x)).values).toEqual([0, 0, 1, 1, 1, 0]);
});

test('a factor of float64 is not rounded to float32', async () => {
  const one = tensorData('float64', [1, 1], [1]);
  expect((await compute((a) => ops.gemm(a, a, { alpha: 0.1, addend: a }), one)).values).toEqual([1.1]);
  expect((await compute((a) => ops.matmul(a, a, { alpha: 0.1 }), one)).values).toEqual([0.1]);
});
