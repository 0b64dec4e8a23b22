import { output } from '@gvu/onnx';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate, type Precision, useSharedRuntime } from '../test/evaluate.ts';
import { highEntropy } from './high-entropy.ts';

useSharedRuntime();

async function kept(
  entropy: readonly (readonly number[])[],
  active: readonly (readonly number[])[],
  options: { share: number; precision?: Precision },
) {
  const { kept } = await evaluate(
    (declare) => output('kept', highEntropy(declare('entropy', entropy), declare('active', active), options.share)),
    options.precision,
  );
  return kept ?? [];
}

describe('decisions of high entropy', () => {
  it('are the top share of those that count', async () => {
    const entropy = [
      [0.1, 0.2, 0.3, 0.4, 0.5, 99],
      [0.6, 0.7, 0.8, 0.9, 1, 99],
    ];
    const active = [
      [1, 1, 1, 1, 1, 0],
      [1, 1, 1, 1, 1, 0],
    ];
    expect(await kept(entropy, active, { share: 0.2 })).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0]);
    expect(await kept(entropy, active, { share: 1 })).toEqual(active.flat());
  });

  it('are all of a tie at the threshold, and none of an empty batch', async () => {
    expect(await kept([[0.5, 0.5, 0.5, 0]], [[1, 1, 1, 1]], { share: 0.25 })).toEqual([1, 1, 1, 0]);
    expect(await kept([[0, 0]], [[1, 1]], { share: 0.1 })).toEqual([1, 1]);
    expect(await kept([[3, 4]], [[0, 0]], { share: 0.5 })).toEqual([0, 0]);
  });

  it('follow the quantile that interpolates linearly', async () => {
    const row = fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.boolean()), { minLength: 12, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(row, fc.constantFrom(0.05, 0.2, 0.5, 0.8), async (cells, share) => {
        const entropy = [cells.map(([value]) => value / 8)];
        const active = [cells.map(([, counts]) => (counts ? 1 : 0))];
        const sorted = cells.flatMap(([value, counts]) => (counts ? [value / 8] : [])).toSorted((a, b) => a - b);
        const position = (1 - share) * (sorted.length - 1);
        const [low = 0, high = low] = [sorted[Math.floor(position)], sorted[Math.ceil(position)]];
        const threshold = low + (high - low) * (position - Math.floor(position));
        // Rounding decides where an entropy is the threshold itself.
        fc.pre(sorted.every((value) => Math.abs(value - threshold) > 1e-6 || low === high));
        const expected = cells.map(([value, counts]) => (counts && value / 8 >= threshold ? 1 : 0));
        expect(await kept(entropy, active, { share })).toEqual(expected);
        expect(await kept(entropy, active, { share, precision: { target: 'cuda', dtype: 'float32' } })).toEqual(
          expected,
        );
      }),
      { seed: 20_260_306, numRuns: 12 },
    );
  });
});
