import { fillNormal, fillUniform, randomStream } from '@gvu/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normal95, type Pair, pairedBootstrap, studentQuantile95 } from './bootstrap.ts';

const seed = 20260701;

function normals(count: number, coordinate: number): Float32Array {
  const out = new Float32Array(count);
  fillNormal(out, randomStream(seed, 'test/normal').at(coordinate));
  return out;
}

function uniforms(count: number, coordinate: number): Float32Array {
  const out = new Float32Array(count);
  fillUniform(out, randomStream(seed, 'test/uniform').at(coordinate));
  return out;
}

function pairsOf(strata: Readonly<Record<string, readonly number[]>>): Pair[] {
  return Object.entries(strata).flatMap(([stratum, values]) => values.map((difference) => ({ stratum, difference })));
}

describe('the paired bootstrap', () => {
  test('the overall mean is the mean of the means of strata, not of pairs', () => {
    const { overall, strata } = pairedBootstrap(pairsOf({ a: [1, 0, 1, 0], b: [0, 0, 0, 0, 0, 0, 0, 1] }), { seed });
    expect(strata.get('a')).toMatchObject({ n: 4, mean: 0.5 });
    expect(strata.get('b')).toMatchObject({ n: 8, mean: 0.125 });
    expect(overall).toMatchObject({ n: 12, mean: 0.3125 });
    // s^2 / n of each stratum over the square of their number.
    const variance = (1 / 3 / 4 + 0.875 / 7 / 8) / 4;
    expect(overall.standardError).toBeCloseTo(Math.sqrt(variance), 12);
  });

  test('is a pure function of pairs and seed', () => {
    const pairs = pairsOf({ a: [...normals(20, 1)], b: [...normals(9, 2)] });
    const first = pairedBootstrap(pairs, { seed: 7 });
    expect(pairedBootstrap(pairs, { seed: 7 })).toEqual(first);
    expect(pairedBootstrap(pairs, { seed: 8 }).overall.interval).not.toEqual(first.overall.interval);
  });

  test('agrees with the closed form for large samples', () => {
    const a = [...normals(1500, 3)].map((z) => 0.3 + 2 * z);
    const b = [...normals(1000, 4)].map((z) => z - 0.1);
    const { overall, strata } = pairedBootstrap(pairsOf({ a, b }), { seed, resamples: 4000 });
    for (const estimate of [overall, ...strata.values()]) {
      const { mean, standardError, interval } = estimate;
      if (standardError === null || interval === null) throw new Error('no interval');
      // Monte Carlo error of a 2.5 % quantile of 4,000 resamples: 0.04 standard errors.
      expect(Math.abs(interval[0] - (mean - normal95 * standardError))).toBeLessThan(0.15 * standardError);
      expect(Math.abs(interval[1] - (mean + normal95 * standardError))).toBeLessThan(0.15 * standardError);
    }
    expect(strata.get('a')?.standardError).toBeCloseTo(2 / Math.sqrt(1500), 2);
  });

  // The differences of a judge's 0 and 1 before and after: worse with probability 0.1, better with 0.3 and, in the other stratum, 0.2.
  test(`covers the truth in 93 to 97 % of simulated data sets (seed ${seed})`, () => {
    const sets = 800;
    let covered = 0;
    for (let set = 0; set < sets; set++) {
      const draws = uniforms(40, set);
      const pairs = [...draws].map((u, i): Pair => {
        const better = i < 20 ? 0.3 : 0.2;
        return { stratum: i < 20 ? 'a' : 'b', difference: u < 0.1 ? -1 : u < 0.1 + better ? 1 : 0 };
      });
      const { interval } = pairedBootstrap(pairs, { seed: set, resamples: 400 }).overall;
      if (interval && interval[0] <= 0.15 && 0.15 <= interval[1]) covered++;
    }
    expect(covered / sets).toBeGreaterThan(0.93);
    expect(covered / sets).toBeLessThan(0.97);
  });

  test('claims no interval where none is known', () => {
    const { overall, strata } = pairedBootstrap(pairsOf({ a: [0.5, 0, 1, 1], b: [1, 0], same: [0.1, 0.1, 0.1] }), {
      seed,
    });
    expect(strata.get('a')?.interval).not.toBeNull();
    for (const stratum of ['b', 'same']) {
      expect(strata.get(stratum)).toMatchObject({ standardError: null, interval: null });
    }
    expect(overall).toMatchObject({ standardError: null, interval: null });
    expect(overall.mean).toBeCloseTo((0.625 + 0.5 + 0.1) / 3, 12);
  });

  test(`turns and scales with the differences (seed ${seed})`, () => {
    const values = fc.array(fc.integer({ min: -8, max: 8 }), { minLength: 3, maxLength: 12 });
    fc.assert(
      fc.property(values, values, fc.integer({ min: 1, max: 4 }), (a, b, factor) => {
        const plain = pairedBootstrap(pairsOf({ a, b }), { seed, resamples: 200 }).overall;
        const scaled = pairedBootstrap(pairsOf({ a: a.map((x) => x * factor + 1), b: b.map((x) => x * factor + 1) }), {
          seed,
          resamples: 200,
        }).overall;
        expect(scaled.mean).toBeCloseTo(plain.mean * factor + 1, 9);
        expect(scaled.interval === null).toBe(plain.interval === null);
        for (const end of [0, 1] as const) {
          if (!plain.interval || !scaled.interval) continue;
          expect(scaled.interval[end]).toBeCloseTo(plain.interval[end] * factor + 1, 9);
        }
      }),
      { seed, numRuns: 100 },
    );
  });

  test('refuses what has no statistic, and names all of it', () => {
    expect(() => pairedBootstrap([], { seed, resamples: 10 })).toThrow(
      /GVU_EVALS_STATISTICS.*no pairs; resamples is 10/,
    );
    expect(() => pairedBootstrap([{ stratum: 'a', difference: Number.NaN }], { seed })).toThrow(/pair 0 is NaN/);
  });
});

test.each([
  [2, 4.30265, 0.008],
  [3, 3.18245, 0.002],
  [5, 2.57058, 2e-4],
  [23, 2.06866, 1e-5],
  [1e9, 1.95996, 1e-5],
])('Student quantile at %d degrees of freedom', (freedom, expected, tolerance) => {
  expect(Math.abs(studentQuantile95(freedom) / expected - 1)).toBeLessThan(tolerance);
});
