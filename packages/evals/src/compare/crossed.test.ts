import { fillNormal, fillUniform, randomStream } from '@gvu/core';
import { describe, expect, it } from 'vitest';
import { type CrossedUnit, crossedMeans } from './crossed.ts';
import { studentQuantile } from './student.ts';

describe('quantiles of Student', () => {
  // From printed tables.
  it.each([
    [0.95, 1, 12.706205],
    [0.95, 2, 4.302653],
    [0.95, 3, 3.182446],
    [0.95, 10, 2.228139],
    [0.95, 120, 1.97993],
    [0.99, 1, 63.656741],
    [0.99, 4, 4.604095],
    [0.9, 5, 2.015048],
    [0.999, 2, 31.599055],
    [0.95, 1e9, 1.959964],
  ])('at %f with %f degrees of freedom: %f', (level, freedom, expected) => {
    expect(studentQuantile(level, freedom)).toBeCloseTo(expected, 5);
  });

  it('falls as there are more degrees of freedom', () => {
    const values = [1, 1.5, 2, 2.7, 5, 40].map((freedom) => studentQuantile(0.95, freedom));
    expect(values).toEqual(values.toSorted((a, b) => b - a));
  });
});

interface World {
  readonly seeds: number;
  readonly perStratum: readonly number[];
  readonly seedSpread: number;
  readonly promptSpread: number;
  readonly kind: 'normal' | 'right-wrong';
}

/** A simulated comparison whose true mean is 0 (normal), or a known share. */
function simulate({ seeds, perStratum, seedSpread, promptSpread, kind }: World, trial: number): readonly CrossedUnit[] {
  const stream = randomStream(20, 'test/crossed');
  const prompts = perStratum.reduce((sum, count) => sum + count, 0);
  const effects = new Float32Array(seeds + prompts + seeds * prompts);
  fillNormal(effects, stream.at(trial, 0));
  const chance = new Float32Array(seeds * prompts);
  fillUniform(chance, stream.at(trial, 1));
  let unit = 0;
  return perStratum.flatMap((count, h) =>
    Array.from({ length: count }, () => {
      const p = unit++;
      const bySeed = Array.from({ length: seeds }, (_, s) => {
        const level = seedSpread * (effects[s] ?? 0) + promptSpread * (effects[seeds + p] ?? 0);
        if (kind === 'normal') return level + (effects[seeds + prompts + s * prompts + p] ?? 0);
        // Symmetric about one half, so that the true share is one half.
        return (chance[s * prompts + p] ?? 0) < 1 / (1 + Math.exp(-level)) ? 1 : 0;
      });
      return { stratum: String(h), bySeed };
    }),
  );
}

function coverage(world: World, { trials = 400, truth = 0 } = {}): number {
  let held = 0;
  for (let trial = 0; trial < trials; trial++) {
    const { interval } = crossedMeans(simulate(world, trial)).overall;
    if (interval && interval[0] <= truth && truth <= interval[1]) held++;
  }
  return held / trials;
}

describe('intervals over prompts and seeds', () => {
  // 400 trials tell 95 % within 2.2 points; they are the same ones each time.
  it.each<[string, World, number]>([
    [
      'an effect of the seed',
      { seeds: 3, perStratum: [12, 12, 12], seedSpread: 0.5, promptSpread: 1, kind: 'normal' },
      0,
    ],
    [
      'a strong one, five seeds',
      { seeds: 5, perStratum: [10, 20], seedSpread: 1, promptSpread: 0.5, kind: 'normal' },
      0,
    ],
    ['two seeds', { seeds: 2, perStratum: [24, 24], seedSpread: 1, promptSpread: 1, kind: 'normal' }, 0],
    [
      'right and wrong',
      { seeds: 3, perStratum: [24, 24, 24], seedSpread: 0.8, promptSpread: 1, kind: 'right-wrong' },
      0.5,
    ],
    ['one seed', { seeds: 1, perStratum: [12, 12, 12], seedSpread: 0, promptSpread: 1, kind: 'normal' }, 0],
  ])('hold 93 to 98 of 100 times: %s', (_, world, truth) => {
    const share = coverage(world, { truth });
    expect(share).toBeGreaterThanOrEqual(0.93);
    expect(share).toBeLessThanOrEqual(0.98);
  });

  it('are too wide rather than too narrow where the seed has no effect', () => {
    const world: World = { seeds: 3, perStratum: [12, 12, 12], seedSpread: 0, promptSpread: 0.5, kind: 'normal' };
    const share = coverage(world);
    expect(share).toBeGreaterThanOrEqual(0.94);
    expect(share).toBeLessThanOrEqual(0.995);
  });

  it('an interval over prompts alone would hold far less often', () => {
    const world: World = { seeds: 3, perStratum: [24, 24], seedSpread: 0.5, promptSpread: 0.5, kind: 'normal' };
    let held = 0;
    for (let trial = 0; trial < 500; trial++) {
      const averaged = simulate(world, trial).map(({ stratum, bySeed }) => ({
        stratum,
        bySeed: [bySeed.reduce((sum, value) => sum + value, 0) / bySeed.length],
      }));
      const { interval } = crossedMeans(averaged).overall;
      if (interval && interval[0] <= 0 && 0 <= interval[1]) held++;
    }
    expect(held / 500).toBeLessThan(0.75);
  });
});

describe('the estimate', () => {
  const units: readonly CrossedUnit[] = [
    { stratum: 'a', bySeed: [1, 3] },
    { stratum: 'a', bySeed: [2, 2] },
    { stratum: 'a', bySeed: [0, 4] },
    { stratum: 'b', bySeed: [10, 10] },
    { stratum: 'b', bySeed: [11, 13] },
    { stratum: 'b', bySeed: [9, 13] },
  ];

  it('is the mean of the means of the strata', () => {
    const { overall, strata } = crossedMeans([...units, { stratum: 'a', bySeed: [1, 3] }]);
    expect(strata.get('a')).toMatchObject({ n: 4, mean: 2 });
    expect(strata.get('b')).toMatchObject({ n: 3, mean: 11 });
    expect(overall).toMatchObject({ n: 7, mean: 6.5 });
  });

  it('has the variance of the two-way analysis by hand', () => {
    // Stratum b alone: prompt means 10, 12, 11, seed means 10, 12; rest: +-1, 0, -+1 of both seeds.
    const { overall } = crossedMeans(units.filter(({ stratum }) => stratum === 'b'));
    const [betweenPrompts, betweenSeeds, rest] = [1 / 3, 2 / 2, (1 + 1 + 0 + 0 + 1 + 1) / 2 / 6];
    expect(overall.standardError).toBeCloseTo(Math.sqrt(betweenSeeds + betweenPrompts - rest), 12);
  });

  it('is wider at a stricter level, and unknown with too few prompts or no spread', () => {
    const [usual, strict] = [crossedMeans(units), crossedMeans(units, { level: 0.99 })];
    expect(strict.overall.interval?.[0]).toBeLessThan(usual.overall.interval?.[0] ?? Number.NaN);
    expect(crossedMeans(units.slice(1)).overall).toMatchObject({ standardError: null, interval: null });
    const flat = ['a', 'a', 'a'].map((stratum) => ({ stratum, bySeed: [0.1, 0.1] }));
    expect(crossedMeans(flat).overall.interval).toBeNull();
    expect(crossedMeans([]).overall).toMatchObject({ n: 0, interval: null });
  });
});
