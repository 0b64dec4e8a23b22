/** Losses against their definitions on the host in float64, at the ends of the number range, and their gradients. */
import { describe, expect, test } from 'vitest';
import { runGraph } from '../../test/run-graph.ts';
import { sharedRuntime, useSharedRuntime } from '../../test/shared-runtime.ts';
import { checkGradients } from '../autodiff/check.ts';
import { gradients } from '../autodiff/grad.ts';
import { createGraph, input, output, type Tensor } from '../graph/graph.ts';
import { type TensorData, tensorData, toNumbers } from '../tensor-data.ts';
import { sum } from './linear.ts';
import { crossEntropy, entropy, klDivergence, tokenLogProb } from './losses.ts';

useSharedRuntime();

/** Runs f on the lowering for the CPU in the dtypes given. */
async function compute(
  f: (...xs: Tensor[]) => Tensor | readonly Tensor[],
  given: readonly TensorData[],
): Promise<readonly (readonly number[])[]> {
  const graph = createGraph();
  const xs = given.map(({ dtype, shape }, i) => input(graph, `x${i}`, { dtype, shape }));
  const results = [f(...xs)].flat();
  for (const [i, result] of results.entries()) output(`y${i}`, result);
  const outputs = await runGraph(graph, Object.fromEntries(given.map((value, i) => [`x${i}`, value])));
  return results.map((_, i) => {
    const found = outputs[`y${i}`];
    return found ? toNumbers(found) : [];
  });
}

function logSoftmaxOf(row: readonly number[]): readonly number[] {
  const most = Math.max(...row);
  const total = row.reduce((t, x) => t + Math.exp(x - most), 0);
  return row.map((x) => x - most - Math.log(total));
}

const float32 = (rows: readonly (readonly number[])[]) =>
  tensorData('float32', [rows.length, rows[0]?.length ?? 0], rows.flat());

/** Ordinary, far apart, shifted far up, masked, and without any preference. */
const rows = [
  [0.3, -1.2, 2, 0.7, -0.4],
  [90, -80, 40, 0, 89],
  [8000, 8001, 7999.5, 8000.25, 7000],
  [1.5, -1e30, 0.5, -1e30, -1],
  [3, 3, 3, 3, 3],
];

describe('values', () => {
  test('tokenLogProb', async () => {
    const ids = [2, 1, 0, 4, 3];
    const [found] = await compute(tokenLogProb, [float32(rows), tensorData('int32', [5], ids)]);
    for (const [i, row] of rows.entries()) {
      const wanted = logSoftmaxOf(row)[ids[i] ?? 0] ?? Number.NaN;
      expect(Math.abs((found?.[i] ?? Number.NaN) - wanted)).toBeLessThan(1e-6 * (1 + Math.abs(wanted)));
    }
  });

  test('entropy', async () => {
    const [found] = await compute(entropy, [float32(rows)]);
    for (const [i, row] of rows.entries()) {
      const wanted = -logSoftmaxOf(row).reduce((total, x) => total + (x < -1e6 ? 0 : Math.exp(x) * x), 0);
      expect(Math.abs((found?.[i] ?? Number.NaN) - wanted)).toBeLessThan(2e-6);
    }
  });

  test('klDivergence, which is 0 between equal rows', async () => {
    const finite = [0, 1, 2, 4].map((i) => rows[i] ?? []);
    const shifted = finite.map((row) => row.map((x) => x + 50));
    const [apart, same] = await compute(
      (p, q, r) => [klDivergence(p, q), klDivergence(p, r)],
      [finite, finite.toReversed(), shifted].map(float32),
    );
    for (const [i, row] of finite.entries()) {
      const [p, q] = [logSoftmaxOf(row), logSoftmaxOf(finite[3 - i] ?? [])];
      const wanted = p.reduce((total, x, k) => total + Math.exp(x) * (x - (q[k] ?? 0)), 0);
      expect(Math.abs((apart?.[i] ?? Number.NaN) - wanted)).toBeLessThan(2e-6 * (1 + wanted));
      expect(Math.abs(same?.[i] ?? Number.NaN)).toBeLessThan(2e-6);
    }
  });

  test('crossEntropy leaves out ignored rows, whatever their target', async () => {
    const targets = tensorData('int64', [5], [2, -100, 0, -100, 3]);
    const loss = (logits: Tensor, ids: Tensor) => {
      const options = { ignoreIndex: -100 } as const;
      return (['none', 'sum', 'mean'] as const).map((reduction) =>
        crossEntropy(logits, ids, { ...options, reduction }),
      );
    };
    const [each, total, average] = await compute(loss, [float32(rows), targets]);
    const wanted = rows.map((row, i) =>
      i % 2 === 0 ? -(logSoftmaxOf(row)[[2, 0, 0, 0, 3][i] ?? 0] ?? Number.NaN) : 0,
    );
    for (const [i, value] of wanted.entries()) expect(each?.[i]).toBeCloseTo(value, 5);
    const inAll = wanted.reduce((a, b) => a + b);
    expect(total?.[0]).toBeCloseTo(inAll, 5);
    expect(average?.[0]).toBeCloseTo(inAll / 3, 5);
  });

  test('the mean over no row is 0, and so is its gradient', async () => {
    const loss = (logits: Tensor, ids: Tensor) => {
      const mean = crossEntropy(logits, ids, { ignoreIndex: -1 });
      return [mean, ...gradients(mean, [logits])];
    };
    const [mean, gradient] = await compute(loss, [float32(rows), tensorData('int64', [5], [-1, -1, -1, -1, -1])]);
    expect(mean).toEqual([0]);
    expect(gradient?.every((value) => value === 0)).toBe(true);
  });
});

describe('gradients', () => {
  const logits = { shape: [2, 3, 5], low: -3, high: 3 };
  const ids = tensorData('int64', [2, 3], [0, 4, 1, 1, 3, 0]);
  const options = () => ({ runtime: sharedRuntime() });

  test('agree with differences', async () => {
    await checkGradients(tokenLogProb, [logits, ids], options());
    await checkGradients(entropy, [logits], options());
    await checkGradients(klDivergence, [logits, logits], options());
    await checkGradients((x, t) => crossEntropy(x, t, { ignoreIndex: 4 }), [logits, ids], options());
  });

  test('of a token is one-hot minus softmax, also for far logits', async () => {
    const slope = (x: Tensor, t: Tensor) => gradients(sum(tokenLogProb(x, t)), [x]);
    const [found] = await compute(slope, [float32(rows), tensorData('int64', [5], [2, 2, 2, 2, 2])]);
    const wanted = rows.flatMap((row) => logSoftmaxOf(row).map((x, k) => (k === 2 ? 1 : 0) - Math.exp(x)));
    for (const [i, value] of wanted.entries()) expect(Math.abs((found?.[i] ?? Number.NaN) - value)).toBeLessThan(1e-6);
  });

  test('of a token take one product and one scattered addition of the size of the logits', () => {
    const graph = createGraph();
    const x = input(graph, 'x', { dtype: 'float32', shape: [4, 1000] });
    const t = input(graph, 't', { dtype: 'int64', shape: [4] });
    const loss = crossEntropy(x, t);
    const before = graph.main.nodes.length;
    const [dx] = gradients(loss, [x]);
    if (dx) output('dx', dx);
    const large = graph.main.nodes.slice(before).filter(({ outputs }) => outputs[0]?.shape.join() === '4,1000');
    // The expansion is made in passing and read by nothing: it is not in the program.
    expect(large.map(({ op }) => op)).toEqual(['Expand', 'Mul', 'ScatterElements']);
    const read = new Set(graph.main.nodes.flatMap(({ inputs }) => inputs));
    expect(
      large.filter(({ outputs }) => outputs[0] && outputs[0] !== dx && !read.has(outputs[0])).map(({ op }) => op),
    ).toEqual(['Expand']);
  });
});

test('tokens that do not fit the rows are refused', () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [4, 10] });
  const t = input(graph, 't', { dtype: 'int64', shape: [4, 1] });
  expect(() => tokenLogProb(x, t)).toThrow(expect.objectContaining({ code: 'GVU_GRAPH_SHAPE' }));
});
