import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type GroupAdvantageOptions, groupAdvantages, type RewardColumn } from './advantages.ts';

const nan = Number.NaN;
const property = { seed: 20_260_306, numRuns: 200 };
const defaults: GroupAdvantageOptions = {
  groupSize: 4,
  baseline: 'group',
  scale: 'group',
  aggregation: 'sum_then_normalize',
  epsilonAdvantage: 1e-4,
};

function run(values: readonly number[] | readonly RewardColumn[], options: Partial<GroupAdvantageOptions> = {}) {
  const columns = values.flatMap((value) => (typeof value === 'number' ? [] : [value]));
  const numbers = values.flatMap((value) => (typeof value === 'number' ? [value] : []));
  return groupAdvantages(columns.length > 0 ? columns : [{ name: 'reward', values: numbers }], {
    ...defaults,
    ...options,
  });
}

describe('group advantages', () => {
  it('are deviations from the group over its Bessel-corrected deviation', () => {
    const { advantages } = run([1, 2, 3, 6], { epsilonAdvantage: 0 });
    const std = Math.sqrt((4 + 1 + 0 + 9) / 3);
    expect(advantages).toEqual([-2 / std, -1 / std, 0, 3 / std]);
  });

  it('are a sign with two rollouts, whatever the gap, until epsilon outweighs it', () => {
    const size = (gap: number) => Math.abs(run([0.04, 0.04 + gap], { groupSize: 2 }).advantages[0] ?? nan);
    expect(size(1e-2)).toBeCloseTo(0.6972, 4);
    expect(size(1e-3)).toBeCloseTo(0.6195, 4);
    expect(size(1e-4)).toBeCloseTo(0.2929, 4);
  });

  it('are exactly 0 in a tied group, also for values that binary fractions cannot hold', () => {
    const tied = fc.tuple(fc.double({ min: 1e-9, max: 1e3, noNaN: true }), fc.integer({ min: 2, max: 12 }));
    fc.assert(
      fc.property(tied, fc.constantFrom('group', 'none'), ([value, groupSize], scale) => {
        const { advantages, statistics } = run(Array(groupSize).fill(value), { groupSize, scale });
        expect(advantages.every((advantage) => advantage === 0)).toBe(true);
        expect(statistics).toMatchObject({ zeroStdFraction: 1, rewardStd: 0, rewardMean: value });
      }),
      property,
    );
  });

  it('do not depend on where zero lies, and, scaled, not on the unit', () => {
    const rewards = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(rewards, fc.integer({ min: -9, max: 9 }), (values, shift) => {
        const { advantages } = run(values, { epsilonAdvantage: 0 });
        const moved = run(
          values.map((value) => 4 * value + shift),
          { epsilonAdvantage: 0 },
        );
        for (const [i, value] of moved.advantages.entries()) expect(value).toBeCloseTo(advantages[i] ?? nan, 12);
        expect(advantages.slice(0, 4).reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 12);
      }),
      property,
    );
  });

  it('leave out what cannot be scored, which teaches nothing', () => {
    const { advantages, rewards, statistics } = run([1, nan, 3, nan, nan, nan, nan, nan], { scale: 'none' });
    expect(advantages).toEqual([-1, 0, 1, 0, 0, 0, 0, 0]);
    expect(rewards).toEqual([1, nan, 3, nan, nan, nan, nan, nan]);
    expect(statistics).toMatchObject({ unscorable: 6, zeroStdFraction: 0.5, rewardMean: 2, rewardStd: Math.SQRT2 });
  });

  it('are all 0 when nothing could be scored', () => {
    for (const scale of ['group', 'batch', 'none'] as const)
      for (const aggregation of ['sum_then_normalize', 'normalize_then_sum'] as const) {
        const { advantages, statistics } = run([nan, nan, nan, nan], { scale, aggregation });
        expect(advantages).toEqual([0, 0, 0, 0]);
        expect(statistics).toMatchObject({ zeroStdFraction: 1, unscorable: 4, rewardMean: nan, rewardStd: nan });
      }
  });

  it('compare with the others when the baseline leaves one out', () => {
    const rewards = fc.array(fc.option(fc.integer({ min: -9, max: 9 }), { nil: nan }), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(rewards, (values) => {
        const { advantages } = run(values, { groupSize: 5, baseline: 'leave-one-out', scale: 'none' });
        for (const [i, value] of values.entries()) {
          const others = values.filter((other, j) => j !== i && !Number.isNaN(other));
          const baseline = others.reduce((sum, other) => sum + other, 0) / others.length;
          const expected = Number.isNaN(value) || others.length === 0 ? 0 : value - baseline;
          expect(advantages[i]).toBeCloseTo(expected, 12);
        }
      }),
      property,
    );
  });

  it('are limited on request, and say how often', () => {
    const { advantages, statistics } = run([0, 0, 0, 100], { scale: 'none', advantageClip: 30 });
    expect(advantages).toEqual([-25, -25, -25, 30]);
    expect(statistics.clippedFraction).toBe(0.25);
  });

  it('do not report a reward of weight 0 as a judgement', () => {
    const watched = { name: 'watched', values: [5, 6, 7, 8], weight: 0 };
    const { advantages, rewards, statistics } = run([{ name: 'reward', values: [1, nan, 3, 2] }, watched], {
      scale: 'none',
    });
    expect(advantages).toEqual([-1, 0, 1, 0]);
    expect(rewards).toEqual([1, nan, 3, 2]);
    expect(statistics.rewards.watched).toMatchObject({ mean: 6.5, unscorable: 0 });
  });

  it('give rewards of different units the same say when each is standardised first', () => {
    const small = { name: 'small', values: [0, 0, 1e-3, 1e-3] };
    const large = { name: 'large', values: [0, 100, 0, 100] };
    const options = { aggregation: 'normalize_then_sum', epsilonAdvantage: 0 } as const;
    const { advantages } = run([small, large], options);
    expect(advantages[1]).toBeCloseTo(0, 12);
    expect(advantages[2]).toBeCloseTo(0, 12);
    expect(run([small, large], { epsilonAdvantage: 0 }).advantages[1]).toBeGreaterThan(0.8);
  });
});

describe('rewards that cannot be used', () => {
  it('are refused with every problem at once', () => {
    const columns = [
      { name: 'a', values: [1, 2, 3, 4, 5], weight: Number.POSITIVE_INFINITY },
      { name: 'a', values: [1, Number.NEGATIVE_INFINITY] },
    ];
    expect(() => run(columns)).toThrow(
      expect.objectContaining({
        code: 'GVU_RL_REWARDS',
        details: {
          problems: [
            '5 rollouts are no whole groups of 4',
            "'a' has weight Infinity",
            "two rewards are called 'a'",
            "'a' has 2 values, 'a' has 5",
            "'a' is -Infinity for rollout 1",
          ],
        },
      }),
    );
  });

  it.each([
    ['no reward at all', [], {}, 'there is no reward'],
    ['no rollout', [{ name: 'a', values: [] }], {}, '0 rollouts are no whole groups of 4'],
    ['no weight', [{ name: 'a', values: [1, 2, 3, 4], weight: 0 }], {}, 'every reward has weight 0'],
    ['groups of one', [{ name: 'a', values: [1] }], { groupSize: 1 }, 'a group has 1 rollouts'],
    ['half a group', [{ name: 'a', values: [1, 2, 3] }], { groupSize: 1.5 }, 'a group has 1.5 rollouts'],
  ] as const)('%s', (_, columns, options, problem) => {
    expect(() => groupAdvantages(columns, { ...defaults, ...options })).toThrow(problem);
  });
});
