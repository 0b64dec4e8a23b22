import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { differenceInterval, wilsonInterval } from './proportion.ts';

const seed = 20260702;

describe("Wilson's interval", () => {
  // Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3.
  test.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('%d of %d', (correct, n, low, high) => {
    const interval = wilsonInterval({ correct, n });
    expect(interval[0]).toBeCloseTo(low, 4);
    expect(interval[1]).toBeCloseTo(high, 4);
  });

  test(`contains the proportion, lies within 0 and 1, and mirrors (seed ${seed})`, () => {
    const count = fc
      .integer({ min: 1, max: 5000 })
      .chain((n) => fc.tuple(fc.integer({ min: 0, max: n }), fc.constant(n)));
    fc.assert(
      fc.property(count, ([correct, n]) => {
        const [low, high] = wilsonInterval({ correct, n });
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(1);
        expect(low).toBeLessThanOrEqual(correct / n);
        expect(high).toBeGreaterThanOrEqual(correct / n);
        const mirrored = wilsonInterval({ correct: n - correct, n });
        expect(mirrored[0]).toBeCloseTo(1 - high, 12);
        expect(mirrored[1]).toBeCloseTo(1 - low, 12);
      }),
      { seed },
    );
  });

  test('refuses what is no proportion', () => {
    for (const count of [
      { correct: 3, n: 2 },
      { correct: 0, n: 0 },
      { correct: -1, n: 2 },
      { correct: 0.5, n: 2 },
      { correct: 1, n: Number.POSITIVE_INFINITY },
    ]) {
      expect(() => wilsonInterval(count)).toThrow('GVU_EVALS_STATISTICS');
    }
  });
});

describe("Newcombe's interval of a difference", () => {
  // Newcombe (1998), "Interval estimation for the difference between independent proportions", table II, method 10.
  test.each([
    [{ correct: 48, n: 80 }, { correct: 56, n: 70 }, 0.0524, 0.3339],
    [{ correct: 3, n: 10 }, { correct: 9, n: 10 }, 0.1705, 0.809],
    [{ correct: 0, n: 10 }, { correct: 10, n: 10 }, 0.6075, 1],
  ])('%o to %o', (before, after, low, high) => {
    const interval = differenceInterval(before, after);
    expect(interval[0]).toBeCloseTo(low, 4);
    expect(interval[1]).toBeCloseTo(high, 4);
  });
});
