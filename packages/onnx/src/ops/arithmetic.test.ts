import { expect, test } from 'vitest';
import { runGraph } from '../../test/run-graph.ts';
import { createGraph, type Graph, input, output, type Tensor } from '../graph/graph.ts';
import { tensorData, toNumbers } from '../tensor-data.ts';
import * as ops from './arithmetic.ts';

/** f of each number, on the lowering for the CPU in float32. */
async function at(values: readonly number[], f: (x: Tensor) => Tensor): Promise<readonly number[]> {
  const graph = createGraph();
  output('y', f(input(graph, 'x', { dtype: 'float32', shape: [values.length] })));
  const { y } = await runGraph(graph, { x: tensorData('float32', [values.length], values) });
  return y ? toNumbers(y) : [];
}

const declare = (graph: Graph, name: string, dtype: 'float32' | 'float64' | 'int64' | 'bool') =>
  input(graph, name, { dtype, shape: [2] });

test('a number on either side takes the dtype of the other', async () => {
  expect(await at([1, 4], (x) => ops.sub(10, ops.div(x, 2)))).toEqual([9.5, 8]);
  expect(await at([1, 4], (x) => ops.where(ops.less(x, 2), -1, x))).toEqual([-1, 4]);
  expect(await at([3, 5], (x) => ops.cast(ops.mod(ops.cast(x, 'int64'), 2), 'float32'))).toEqual([1, 1]);
});

test('clip takes one bound or two', async () => {
  expect(await at([-2, 0.5, 3], (x) => ops.clip(x, -1, 1))).toEqual([-1, 0.5, 1]);
  expect(await at([-2, 0.5, 3], (x) => ops.clip(x, Number.NEGATIVE_INFINITY, 1))).toEqual([-2, 0.5, 1]);
});

test('round takes ties to even, sign of 0 is 0, cast to integers truncates', async () => {
  expect(await at([0.5, 1.5, 2.4], ops.round)).toEqual([0, 2, 2]);
  expect(await at([-3, 0, 2], ops.sign)).toEqual([-1, 0, 1]);
  expect(await at([-1.7, 1.7], (x) => ops.cast(ops.cast(x, 'int64'), 'float32'))).toEqual([-1, 1]);
});

test('straightThrough has the values of the hard tensor', async () => {
  expect(await at([0.2, 0.8], (x) => ops.straightThrough(ops.round(x), x))).toEqual([0, 1]);
});

test('dtypes are not promoted, and numbers alone are no graph', () => {
  const graph = createGraph();
  const [x, wide, whole] = [
    declare(graph, 'x', 'float32'),
    declare(graph, 'w', 'float64'),
    declare(graph, 'i', 'int64'),
  ];
  expect(() => ops.add(x, wide)).toThrow(expect.objectContaining({ code: 'GVU_GRAPH_DTYPE' }));
  expect(() => ops.exp(whole)).toThrow(expect.objectContaining({ code: 'GVU_GRAPH_DTYPE' }));
  expect(() => ops.and(x, x)).toThrow(expect.objectContaining({ code: 'GVU_GRAPH_DTYPE' }));
  expect(() => ops.where(x, x, x)).toThrow(expect.objectContaining({ code: 'GVU_GRAPH_DTYPE' }));
  expect(() => ops.add(whole, 0.5)).toThrow(expect.objectContaining({ code: 'GVU_TENSOR_DATA' }));
  expect(() => ops.add(1, 2)).toThrow(expect.objectContaining({ code: 'GVU_GRAPH_SCOPE' }));
  expect(() => ops.straightThrough(wide, x)).toThrow(expect.objectContaining({ code: 'GVU_GRAPH_SHAPE' }));
  expect(() => ops.straightThrough(whole, whole)).toThrow(expect.objectContaining({ code: 'GVU_GRAPH_SHAPE' }));
});
