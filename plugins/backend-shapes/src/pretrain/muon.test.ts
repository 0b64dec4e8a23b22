import { createGraph, input, output, Runtime, tensorData, toNumbers } from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runGraph } from '../../test/tiny-model.ts';
import { muon, orthogonal } from './muon.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
});
afterAll(() => runtime.dispose());

/** Matrices whose singular values differ by a factor of about ten. */
const matrices = (count: number, rows: number, columns: number) =>
  tensorData(
    'float32',
    [count, rows, columns],
    Array.from({ length: count * rows * columns }, (_, i) => Math.sin(i * i * 0.37 + 1) * (1 + (i % columns))),
  );

describe('orthogonal', () => {
  it.each([
    [6, 6],
    [4, 9],
    [9, 4],
  ])('brings the singular values of %i x %i to about one', async (rows, columns) => {
    const graph = createGraph();
    output('y', orthogonal(input(graph, 'x', { dtype: 'float32', shape: [2, rows, columns] })));
    const x = matrices(2, rows, columns);
    const { y } = await runGraph(runtime, graph, { x });
    const all = y ? toNumbers(y) : [];
    const short = Math.min(rows, columns);
    for (let m = 0; m < 2; m++) {
      const at = (row: number, column: number) => all[(m * rows + row) * columns + column] ?? Number.NaN;
      // The squared norm is the sum of the squared singular values; the iteration leaves each within 0.7 to 1.2.
      let norm = 0;
      let along = 0;
      for (let r = 0; r < rows; r++)
        for (let c = 0; c < columns; c++) {
          norm += at(r, c) ** 2;
          along += at(r, c) * (toNumbers(x)[(m * rows + r) * columns + c] ?? 0);
        }
      expect(norm / short).toBeGreaterThan(0.6);
      expect(norm / short).toBeLessThan(1.3);
      expect(along).toBeGreaterThan(0);
    }
  });
});

it('moves tall matrices further, by the gradient and what is left of those before', async () => {
  const shape = [1, 8, 2];
  const graph = createGraph();
  const tensor = (name: string) => input(graph, name, { dtype: 'float32', shape });
  const state = { parameters: tensor('parameters'), gradient: tensor('gradient'), momentum: tensor('momentum') };
  const next = muon({ ...state, learningRate: input(graph, 'rate', { dtype: 'float32', shape: [] }) });
  output('next', next.parameters);
  output('momentum next', next.momentum);
  const gradient = matrices(1, 8, 2);
  const zeros = tensorData('float32', shape, new Float32Array(16));
  const feeds = { parameters: zeros, gradient, momentum: gradient, rate: tensorData('float32', [], [0.1]) };
  const result = await runGraph(runtime, graph, feeds);
  const [moved, momentum] = [result.next, result['momentum next']].map((tensor) => (tensor ? toNumbers(tensor) : []));
  momentum?.forEach((value, i) => {
    expect(value).toBeCloseTo(1.95 * (toNumbers(gradient)[i] ?? 0), 4);
  });
  // 0.1 sqrt(8 / 2) times a matrix with two singular values of about one.
  const norm = Math.hypot(...(moved ?? []));
  expect(norm).toBeGreaterThan(0.2 * Math.sqrt(2) * 0.75);
  expect(norm).toBeLessThan(0.2 * Math.sqrt(2) * 1.25);
});
