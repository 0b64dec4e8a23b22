import { afterAll, describe, expect, test } from 'vitest';
import { runGraph } from '../../test/run-graph.ts';
import { expectTwins } from '../../test/twins.ts';
import { checkGradients } from '../autodiff/check.ts';
import { gradients } from '../autodiff/grad.ts';
import { createGraph, input, output, type Tensor } from '../graph/graph.ts';
import { Runtime } from '../runtime/runtime.ts';
import { tensorData, toNumbers } from '../tensor-data.ts';
import { add, mul } from './arithmetic.ts';
import { batchNorm, groupNorm, l2Normalise, layerNorm, rmsNorm } from './norms.ts';

const epsilon = 1e-5;

const runtime = await Runtime.create({ threads: 1 });
afterAll(() => runtime.dispose());

/** Every form of every norm: how it is built, and the shapes of its operands. */
const cases: Record<string, { build: (...inputs: Tensor[]) => Tensor; shapes: readonly (readonly number[])[] }> = {
  rmsNorm: { build: (x, scale) => rmsNorm(x, scale, epsilon), shapes: [[2, 3, 8], [8]] },
  'rmsNorm without scale': { build: (x) => rmsNorm(x, undefined, epsilon), shapes: [[3, 8]] },
  'rmsNorm of heads': { build: (x, scale) => rmsNorm(x, scale, epsilon), shapes: [[2, 3, 2, 4], [4]] },
  'rmsNorm of one element': { build: (x, scale) => rmsNorm(x, scale, epsilon), shapes: [[4, 1], [1]] },
  'rmsNorm of a vector': { build: (x, scale) => rmsNorm(x, scale, epsilon), shapes: [[8], [8]] },
  'layerNorm of a vector': {
    build: (x, scale, bias) => layerNorm(x, { scale, bias, epsilon }),
    shapes: [[8], [8], [8]],
  },
  layerNorm: {
    build: (x, scale, bias) => layerNorm(x, { scale, bias, epsilon }),
    shapes: [[2, 3, 8], [8], [8]],
  },
  'layerNorm without scale': { build: (x, bias) => layerNorm(x, { bias, epsilon }), shapes: [[3, 8], [8]] },
  'layerNorm without bias': { build: (x, scale) => layerNorm(x, { scale, epsilon }), shapes: [[3, 8], [8]] },
  'layerNorm of two axes': {
    build: (x, scale, bias) => layerNorm(x, { scale, bias, epsilon, axes: 2 }),
    shapes: [
      [2, 3, 4],
      [3, 4],
      [3, 4],
    ],
  },
  groupNorm: {
    build: (x, scale, bias) => groupNorm(x, 2, { scale, bias, epsilon }),
    shapes: [[2, 4, 3, 5], [4], [4]],
  },
  'groupNorm of one group, no scale': { build: (x) => groupNorm(x, 1, { epsilon }), shapes: [[2, 6, 4]] },
  'groupNorm by channel, no bias': {
    build: (x, scale) => groupNorm(x, 4, { scale, epsilon }),
    shapes: [[2, 4, 2, 2, 2], [4]],
  },
  'groupNorm, no scale': { build: (x, bias) => groupNorm(x, 2, { bias, epsilon }), shapes: [[2, 4, 5], [4]] },
  batchNorm: {
    build: (x, scale, bias, mean, spread) =>
      batchNorm(x, { scale, bias, mean: mean, variance: add(mul(spread, spread), 0.5), epsilon }),
    shapes: [[2, 3, 4], [3], [3], [3], [3]],
  },
  'batchNorm without scale': {
    build: (x, mean, spread) => batchNorm(x, { mean: mean, variance: add(mul(spread, spread), 0.5), epsilon }),
    shapes: [[2, 3, 2, 2], [3], [3]],
  },
  l2Normalise: { build: (x) => l2Normalise(x, -1, 1e-12), shapes: [[3, 6]] },
  'l2Normalise of channels': { build: (x) => l2Normalise(x, 1, 1e-12), shapes: [[2, 3, 2, 2]] },
};

describe.each(Object.entries(cases))('%s', (_, { build, shapes }) => {
  test('has the gradients that differences give', async () => {
    await checkGradients(
      build,
      shapes.map((shape) => ({ shape })),
      { runtime },
    );
  });

  test('is the same fused and decomposed', async () => {
    await expectTwins(build, shapes);
  });

  test('runs in half precision', async () => {
    await expectTwins(build, shapes, { targets: ['cuda'], dtype: 'float16', tolerance: 5e-3 });
  });
});

test('statistics of half floats do not overflow', async () => {
  const graph = createGraph({ target: 'cuda' });
  // Squares of 300 are beyond float16, and so is their sum.
  const x = input(graph, 'x', { dtype: 'float16', shape: [1, 4] });
  output('rms', rmsNorm(x, undefined, epsilon));
  output('l2', l2Normalise(x, -1, 1e-6));
  const [gradient = x] = gradients(rmsNorm(x, undefined, epsilon), [x], { seed: x });
  output('gradient', gradient);
  const {
    rms,
    l2,
    gradient: found,
  } = await runGraph(graph, { x: tensorData('float16', [1, 4], [300, -300, 300, 300]) });
  if (!rms || !l2 || !found) throw new Error('an output is missing');
  expect(toNumbers(rms)).toEqual([1, -1, 1, 1]);
  expect(toNumbers(l2)).toEqual([0.5, -0.5, 0.5, 0.5]);
  // Along x the norm does not change.
  for (const value of toNumbers(found)) expect(Math.abs(value)).toBeLessThan(0.01);
});

test.each(['cpu', 'reference'] as const)('groupNorm keeps its digits far from zero: %s', async (target) => {
  const graph = createGraph({ target });
  const x = input(graph, 'x', { dtype: 'float32', shape: [1, 2, 512] });
  output('y', groupNorm(x, 1, { epsilon }));
  const values = Array.from({ length: 1024 }, (_, i) => 100 + Math.sin(i));
  const { y } = await runGraph(graph, { x: tensorData('float32', [1, 2, 512], values) });
  if (!y) throw new Error('no output');
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  for (const [i, value] of toNumbers(y).entries())
    expect(value).toBeCloseTo(((values[i] ?? 0) - mean) / Math.sqrt(variance + epsilon), 4);
});

test('a vector of zeros has a length of epsilon, and a gradient', async () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [1, 2] });
  const y = l2Normalise(x, -1, 1e-6);
  const [gradient = x] = gradients(y, [x], { seed: add(x, 1) });
  output('y', y);
  output('gradient', gradient);
  const { y: value, gradient: found } = await runGraph(graph, { x: tensorData('float32', [1, 2], [0, 0]) });
  if (!value || !found) throw new Error('an output is missing');
  expect(toNumbers(value)).toEqual([0, 0]);
  for (const slope of toNumbers(found)) expect(slope / 1e6).toBeCloseTo(1, 5);
});
