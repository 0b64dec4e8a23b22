import { afterAll, describe, expect, test } from 'vitest';
import { runGraph } from '../../test/run-graph.ts';
import { expectTwins } from '../../test/twins.ts';
import { checkGradients } from '../autodiff/check.ts';
import { gradients } from '../autodiff/grad.ts';
import { constant, createGraph, emit, input, output, type Tensor } from '../graph/graph.ts';
import { Runtime } from '../runtime/runtime.ts';
import { tensorData, toNumbers } from '../tensor-data.ts';
import { pixelShuffle, pixelUnshuffle, resizeBilinear, resizeNearest } from './resize.ts';

const runtime = await Runtime.create({ threads: 1 });
afterAll(() => runtime.dispose());

const cases: Record<string, readonly [build: (x: Tensor) => Tensor, shape: readonly number[]]> = {
  'nearest, twice the size': [(x) => resizeNearest(x, [6, 8]), [2, 2, 3, 4]],
  'nearest, one axis only': [(x) => resizeNearest(x, [3, 12]), [1, 2, 3, 4]],
  'nearest, one spatial axis': [(x) => resizeNearest(x, [9]), [2, 2, 3]],
  'nearest, three spatial axes': [(x) => resizeNearest(x, [4, 3, 6]), [1, 2, 2, 3, 2]],
  'nearest, any size': [(x) => resizeNearest(x, [5, 3]), [1, 2, 3, 4]],
  'nearest, the same size': [(x) => resizeNearest(x, [3, 4]), [1, 2, 3, 4]],
  'bilinear, larger': [(x) => resizeBilinear(x, [6, 8]), [2, 2, 3, 4]],
  'bilinear, any size': [(x) => resizeBilinear(x, [5, 3]), [1, 2, 3, 4]],
  'bilinear, corners aligned': [(x) => resizeBilinear(x, [5, 2], { alignCorners: true }), [1, 2, 3, 3]],
  'bilinear, to one element': [(x) => resizeBilinear(x, [1, 1], { alignCorners: true }), [1, 1, 3, 4]],
  'bilinear, from one element': [(x) => resizeBilinear(x, [2, 3]), [1, 2, 1, 1]],
  pixelShuffle: [(x) => pixelShuffle(x, 2), [1, 8, 2, 3]],
  pixelUnshuffle: [(x) => pixelUnshuffle(x, 2), [2, 2, 4, 6]],
};

describe.each(Object.entries(cases))('%s', (_, [build, shape]) => {
  test('has the gradients that differences give', async () => {
    await checkGradients(build, [{ shape }], { runtime });
  });

  test('is the same on every target', async () => {
    await expectTwins(build, [shape]);
    await expectTwins(build, [shape], { targets: ['cuda'], dtype: 'float16', tolerance: 5e-3 });
  });
});

/** Runs a function of one image whose elements count from 0. */
async function ofCounting(build: (x: Tensor) => Tensor, shape: readonly number[]): Promise<readonly number[]> {
  const graph = createGraph();
  const count = shape.reduce((product, length) => product * length, 1);
  output('y', build(input(graph, 'x', { dtype: 'float32', shape })));
  const { y } = await runGraph(graph, { x: tensorData('float32', shape, Array(count).keys()) });
  if (!y) throw new Error('no output');
  return toNumbers(y);
}

// The numbers are those of torch.nn.functional.
test('nearest samples at floor(i in / out)', async () => {
  expect(await ofCounting((x) => resizeNearest(x, [1, 5]), [1, 1, 1, 3])).toEqual([0, 0, 1, 1, 2]);
  expect(await ofCounting((x) => resizeNearest(x, [1, 2]), [1, 1, 1, 5])).toEqual([0, 2]);
  expect(await ofCounting((x) => resizeNearest(x, [2, 4]), [1, 1, 1, 2])).toEqual([0, 0, 1, 1, 0, 0, 1, 1]);
});

test('bilinear samples at centres, or at corners when they are aligned', async () => {
  expect(await ofCounting((x) => resizeBilinear(x, [1, 4]), [1, 1, 1, 2])).toEqual([0, 0.25, 0.75, 1]);
  expect(await ofCounting((x) => resizeBilinear(x, [1, 5], { alignCorners: true }), [1, 1, 1, 3])).toEqual([
    0, 0.5, 1, 1.5, 2,
  ]);
  expect(await ofCounting((x) => resizeBilinear(x, [2, 2]), [1, 1, 4, 4])).toEqual([2.5, 4.5, 10.5, 12.5]);
});

test('pixelShuffle weaves channels into rows, and back', async () => {
  expect(await ofCounting((x) => pixelShuffle(x, 2), [1, 4, 1, 2])).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
  const again = await ofCounting((x) => pixelUnshuffle(pixelShuffle(x, 3), 3), [2, 18, 2, 1]);
  expect(again).toEqual([...Array(72).keys()]);
});

test('what does not fit is refused', () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [1, 6, 5, 5] });
  expect(() => resizeNearest(x, [5])).toThrow(/cannot be resized to \[5\]/);
  expect(() => resizeBilinear(x, [0, 5])).toThrow(/cannot be resized to \[0, 5\]/);
  expect(() => pixelShuffle(x, 2)).toThrow(/blocks of 2 x 2/);
  expect(() => pixelUnshuffle(x, 2)).toThrow(/blocks of 2 x 2/);
});

test('a Resize of another kind has no gradient, and says so', () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [1, 1, 2, 2] });
  const [y] = emit(graph, 'Resize', [x, undefined, undefined, constant(graph, 'int64', [4], [1, 1, 4, 4])], {
    attributes: { mode: 'linear', coordinate_transformation_mode: 'half_pixel', nearest_mode: 'floor' },
  });
  expect(() => gradients(y, [x], { seed: y })).toThrow(/has no gradient rule/);
});
