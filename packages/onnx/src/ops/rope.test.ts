import { afterAll, describe, expect, test } from 'vitest';
import { runGraph } from '../../test/run-graph.ts';
import { expectTwins } from '../../test/twins.ts';
import { checkGradients } from '../autodiff/check.ts';
import { constant, createGraph, input, output, type Tensor } from '../graph/graph.ts';
import { Runtime } from '../runtime/runtime.ts';
import { tensorData, toNumbers } from '../tensor-data.ts';
import { type RopeOptions, type RopeTables, rope } from './rope.ts';

const runtime = await Runtime.create({ threads: 1 });
afterAll(() => runtime.dispose());

/** Angles of position p and pair i: p / 10^i. Seven positions. */
function tablesFor(x: Tensor, rotated: number): RopeTables {
  const table = (of: (angle: number) => number) =>
    constant(
      x.block.graph,
      x.dtype,
      [7, rotated / 2],
      Array.from({ length: 7 * (rotated / 2) }, (_, k) =>
        of(Math.floor(k / (rotated / 2)) / 10 ** (k % (rotated / 2))),
      ),
    );
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

const positions = [3, 4, 5, 0, 6, 2];

function rotated(x: Tensor, count: number, options: RopeOptions): Tensor {
  return rope(x, constant(x.block.graph, 'int64', [2, 3], positions), tablesFor(x, count), options);
}

const layouts = [
  { layout: '[B, H, T, D]', shape: [2, 4, 3, 6], options: {} },
  { layout: '[B, T, H * D]', shape: [2, 3, 4 * 6], options: { heads: 4 } },
];
const forms = layouts.flatMap((one) =>
  [true, false].flatMap((interleaved) =>
    [6, 4, 2].map((count) => ({
      ...one,
      options: { ...one.options, interleaved },
      count,
      kind: interleaved ? 'pairs' : 'halves',
    })),
  ),
);

describe.each(forms)('$layout, $kind, $count of 6 dimensions', ({ shape, options, count }) => {
  test('has the gradients that differences give', async () => {
    await checkGradients((x) => rotated(x, count, options), [{ shape }], { runtime, elements: 32 });
  });

  test('is the same fused and decomposed', async () => {
    await expectTwins((x) => rotated(x, count, options), [shape]);
    await expectTwins((x) => rotated(x, count, options), [shape], {
      targets: ['cpu', 'cuda'],
      dtype: 'float16',
      tolerance: 5e-3,
    });
  });

  test('turns each pair by its angle', async () => {
    const graph = createGraph({ target: 'reference' });
    const x = input(graph, 'x', { dtype: 'float64', shape });
    output('y', rotated(x, count, options));
    const values = Array.from({ length: 144 }, (_, i) => Math.sin(i * i));
    const { y } = await runGraph(graph, { x: tensorData('float64', shape, values) });
    if (!y) throw new Error('no output');
    const flat = shape.length === 3;
    for (const [at, value] of toNumbers(y).entries()) {
      const [dim, row] = [at % 6, Math.floor(at / 6)];
      const token = flat ? Math.floor(row / 4) : 3 * Math.floor(row / 12) + (row % 3);
      const pair = options.interleaved ? Math.floor(dim / 2) : dim % (count / 2);
      const [first, second] = options.interleaved ? [2 * pair, 2 * pair + 1] : [pair, pair + count / 2];
      const [a = 0, b = 0] = [values[at - dim + first], values[at - dim + second]];
      const angle = (positions[token] ?? 0) / 10 ** pair;
      const turned =
        dim === first ? a * Math.cos(angle) - b * Math.sin(angle) : b * Math.cos(angle) + a * Math.sin(angle);
      expect(value).toBeCloseTo(dim < count ? turned : (values[at] ?? 0), 12);
    }
  });
});

test('what does not fit is refused', () => {
  const graph = createGraph();
  const image = (...shape: number[]) => input(graph, `x${shape}`, { dtype: 'float32', shape });
  const ids = (...shape: number[]) => input(graph, `ids${shape}`, { dtype: 'int64', shape });
  const x = image(2, 3, 24);
  expect(() => rope(x, ids(2, 3), tablesFor(x, 6))).toThrow(/an unknown number of heads/);
  expect(() => rope(x, ids(1, 3), tablesFor(x, 6), { heads: 5 })).toThrow(/does not hold 5 heads/);
  expect(() => rope(x, ids(3, 2), tablesFor(x, 6), { heads: 4 })).toThrow(/position ids must be \[B, T\]/);
  expect(() => rope(image(2, 1, 3, 6), ids(4, 3), tablesFor(x, 8))).toThrow(/4 pairs do not rotate heads of 6/);
  expect(() => rope(image(2, 1, 8, 6), ids(2, 8), tablesFor(x, 6))).toThrow(/end before position 8/);
});
