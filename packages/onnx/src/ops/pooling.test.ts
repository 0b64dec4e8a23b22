import { afterAll, describe, expect, test } from 'vitest';
import { runGraph } from '../../test/run-graph.ts';
import { expectTwins } from '../../test/twins.ts';
import { checkGradients } from '../autodiff/check.ts';
import { gradients } from '../autodiff/grad.ts';
import { createGraph, input, output, type Tensor } from '../graph/graph.ts';
import { Runtime } from '../runtime/runtime.ts';
import { tensorData, toNumbers } from '../tensor-data.ts';
import { avgPool, maxPool, type PoolOptions } from './pooling.ts';

const runtime = await Runtime.create({ threads: 1 });
afterAll(() => runtime.dispose());

type Case = [x: readonly number[], options: PoolOptions];
const shared: Record<string, Case> = {
  tiles: [[2, 2, 4, 6], { kernel: 2 }],
  'tiles that leave a rest': [[1, 2, 5, 7], { kernel: [2, 3] }],
  'overlapping windows with pads': [[2, 2, 5, 5], { kernel: 3, stride: 2, pads: 1 }],
  'asymmetric pads': [[1, 2, 5, 4], { kernel: 3, stride: 1, pads: [0, 1, 2, 1] }],
  gaps: [[1, 3, 7, 8], { kernel: 2, stride: [3, 4] }],
  'one axis': [[2, 2, 6], { kernel: 3, stride: 2, pads: [1, 0] }],
  'three axes': [[1, 2, 4, 2, 4], { kernel: [2, 1, 2] }],
};
const averages = Object.entries(shared).flatMap(([name, [x, options]]) =>
  [true, false].map(
    (countIncludePad) =>
      [`${name}, pads ${countIncludePad ? 'count' : 'do not'}`, x, { ...options, countIncludePad }] as const,
  ),
);

describe.each(averages)('avgPool: %s', (_, shape, options) => {
  test('has the gradients that differences give', async () => {
    await checkGradients((x) => avgPool(x, options), [{ shape }], { runtime });
  });

  test('is the same fused and decomposed', async () => {
    await expectTwins((x) => avgPool(x, options), [shape]);
    await expectTwins((x) => avgPool(x, options), [shape], { targets: ['cuda'], dtype: 'float16', tolerance: 5e-3 });
  });
});

describe.each([...Object.entries(shared), ['dilated', [[1, 2, 6, 6], { kernel: 2, stride: 1, dilation: 2 }]] as const])(
  'maxPool: %s',
  (_, [shape, options]) => {
    test('has the gradients that differences give', async () => {
      await checkGradients((x) => maxPool(x, options), [{ shape }], { runtime });
    });

    test('is the same on every target', async () => {
      await expectTwins((x) => maxPool(x, options), [shape]);
      await expectTwins((x) => maxPool(x, options), [shape], { targets: ['cuda'], dtype: 'float16', tolerance: 5e-3 });
    });
  },
);

test('maxPool gives the gradient of a tie to the first', async () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [2, 1, 4] });
  const y = maxPool(x, { kernel: 2 });
  const [gradient = y] = gradients(y, [x], { seed: y });
  output('gradient', gradient);
  const { gradient: found } = await runGraph(graph, {
    x: tensorData('float32', [2, 1, 4], [3, 3, 1, 2, 5, 5, -1, -1]),
  });
  expect(found && toNumbers(found)).toEqual([3, 0, 0, 2, 5, 0, -1, 0]);
});

test('maxPool takes the largest of each window, never a pad', async () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [1, 2, 3] });
  output('y', maxPool(x, { kernel: 2, stride: 1, pads: [1, 0] }));
  const { y } = await runGraph(graph, { x: tensorData('float32', [1, 2, 3], [-5, -2, -3, 4, 1, 7]) });
  expect(y && toNumbers(y)).toEqual([-5, -2, -2, 4, 4, 7]);
});

test.each(['cpu', 'reference'] as const)('what does not fit is refused: %s', (target) => {
  const graph = createGraph({ target });
  const x = input(graph, 'x', { dtype: 'float32', shape: [1, 2, 5, 5] });
  const refused: readonly (readonly [() => Tensor, RegExp])[] = [
    [() => avgPool(x, { kernel: 2, pads: 2 }), /Pads \[2, 2, 2, 2\].*whole windows/],
    [() => maxPool(x, { kernel: [3, 1], pads: [0, 1, 0, 0] }), /whole windows of \[3, 1\]/],
    [() => avgPool(x, { kernel: 6 }), /window of 6 does not fit 5/],
    [() => avgPool(x, { kernel: [2, 2, 2] }), /kernel_shape \[2, 2, 2\] are not 2/],
  ];
  for (const [build, message] of refused) expect(build).toThrow(message);
});
