import { output } from '@gvu/onnx';
import { describe, expect, it } from 'vitest';
import { evaluate, type Precision, useSharedRuntime } from '../test/evaluate.ts';
import { similarityWeights } from './similarity-weights.ts';

useSharedRuntime();

type Rows = readonly (readonly number[])[];

async function weights(
  embeddings: readonly Rows[],
  batch: { advantages: readonly number[]; active?: Rows; groupSize: number },
  precision?: Precision,
) {
  const { advantages, groupSize, active = embeddings.map((row) => row.map(() => 1)) } = batch;
  const { policy = [], kl = [] } = await evaluate((declare) => {
    const found = similarityWeights(
      declare('embeddings', embeddings),
      {
        advantages: declare(
          'advantages',
          advantages.map((advantage) => [advantage]),
        ),
        active: declare('active', active),
      },
      groupSize,
    );
    output('policy', found.policy);
    output('kl', found.kl);
  }, precision);
  return { policy, kl };
}

const [east, north, west] = [
  [2, 0],
  [0, 3],
  [-1, 0],
];

describe('similarity weights', () => {
  it('are 0 where winner and loser drew the same, and in proportion to the difference elsewhere', async () => {
    const { policy, kl } = await weights(
      [
        [east, east, east, east],
        [east, north, west, west],
      ],
      { advantages: [1, -1], groupSize: 2 },
    );
    // (1 - cosine) / 2 is 0, 1/2, 1, 1 in both rows; their mean is 5/8.
    for (const row of [policy.slice(0, 4), policy.slice(4)])
      for (const [t, expected] of [0, 0.8, 1.6, 1.6].entries()) expect(row[t]).toBeCloseTo(expected, 12);
    for (const [t, expected] of [1, 1, 0.5, 0.5, 1, 1, 0.5, 0.5].entries()) expect(kl[t]).toBeCloseTo(expected, 12);
  });

  it('compare only with the other sign, in the same group, and keep mean 1 over what counts', async () => {
    const first = [[east], [east], [north], [west]];
    const second = [[north], [north], [east], [east]];
    const advantages = [1, 0.5, -0.5, -1, 2, 2, -2, -2];
    const { policy } = await weights([...first, ...second], { advantages, groupSize: 4 });
    // Mean cosines of the first group: (0 - 1) / 2 for the winners, 0 and -1 for the losers.
    const raw = [0.75, 0.75, 0.5, 1];
    for (const [i, expected] of raw.entries()) expect(policy[i]).toBeCloseTo(expected / 0.75, 12);
    expect(policy.slice(4)).toEqual([1, 1, 1, 1]);
    const half = await weights([...first, ...second], {
      advantages,
      groupSize: 4,
      active: [[1], [1], [1], [0], [1], [1], [1], [1]],
    });
    // Without the last member the winners only face a cosine of 0.
    for (const [i, expected] of [0.5, 0.5, 0.5].entries()) expect(half.policy[i]).toBeCloseTo(expected / 0.5, 12);
  });

  it('do not see what does not count, not even NaN', async () => {
    const active = [
      [1, 1, 0],
      [1, 0, 1],
    ];
    const at = (hidden: number[]) =>
      weights(
        [
          [east, north, hidden],
          [north, hidden, west],
        ],
        { advantages: [1, -1], active, groupSize: 2 },
      );
    const plain = await at([1, 1]);
    const counted = active.flat();
    for (const hidden of [await at([Number.NaN, 0]), await at([0, 0])])
      expect(hidden.policy.map((weight, i) => (counted[i] ? weight : 0))).toEqual(
        plain.policy.map((weight, i) => (counted[i] ? weight : 0)),
      );
    expect(plain.policy.every(Number.isFinite)).toBe(true);
  });

  it('are 1 in a tied group, and finite for equal images and zero vectors', async () => {
    const tied = await weights([[east], [north], [west]], { advantages: [0, 0, 0], groupSize: 3 });
    expect(tied).toEqual({ policy: [1, 1, 1], kl: [1, 1, 1] });
    const equal = await weights(
      [
        [east, east],
        [east, east],
      ],
      { advantages: [1, -1], groupSize: 2 },
    );
    for (const weight of equal.policy) expect(weight).toBeCloseTo(0, 9);
    const zero = await weights([[[0, 0]], [[0, 0]]], { advantages: [1, -1], groupSize: 2 });
    expect(zero.policy).toEqual([1, 1]);
  });

  it('are the same in the operators of each device', async () => {
    const embeddings = [
      [east, north],
      [north, west],
      [west, east],
    ];
    const batch = { advantages: [1, -0.25, -0.75], groupSize: 3 };
    const exact = await weights(embeddings, batch);
    for (const target of ['cpu', 'cuda'] as const) {
      const single = await weights(embeddings, batch, { target, dtype: 'float32' });
      for (const [i, weight] of exact.policy.entries()) expect(single.policy[i]).toBeCloseTo(weight, 6);
    }
  });
});
