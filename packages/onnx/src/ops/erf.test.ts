import { expect, test } from 'vitest';
import { runGraph } from '../../test/run-graph.ts';
import { sharedRuntime, useSharedRuntime } from '../../test/shared-runtime.ts';
import { checkGradients } from '../autodiff/check.ts';
import { createGraph, input, output } from '../graph/graph.ts';
import { tensorData, toNumbers } from '../tensor-data.ts';
import { erf } from './erf.ts';

useSharedRuntime();

/** From the table of Abramowitz & Stegun 7.1 and its continuation, to double precision. */
const known = [
  [0, 0],
  [1e-9, 1.1283791670955127e-9],
  [0.5, 0.5204998778130465],
  [1, 0.8427007929497149],
  [2, 0.9953222650189527],
  [-3, -0.9999779095030014],
  [5.9, 1],
  [-40, -1],
] as const;

test.each([
  { dtype: 'float64', digits: 5e-15 },
  { dtype: 'float32', digits: 2e-7 },
] as const)('known values in $dtype', async ({ dtype, digits }) => {
  const graph = createGraph({ target: 'reference' });
  const x = input(graph, 'x', { dtype, shape: [known.length] });
  output('y', erf(x));
  const { y } = await runGraph(graph, {
    x: tensorData(
      dtype,
      [known.length],
      known.map(([at]) => at),
    ),
  });
  const found = y ? toNumbers(y) : [];
  for (const [i, [, value]] of known.entries())
    expect(Math.abs((found[i] ?? Number.NaN) - value)).toBeLessThanOrEqual(digits * Math.abs(value));
});

test('the quadrature has the right slope up to where it saturates', async () => {
  await checkGradients(erf, [{ shape: [64], low: -7, high: 7 }], { runtime: sharedRuntime() });
});
