import { describe, expect, it } from 'vitest';
import { grpo, grpoConfig } from './algorithms/grpo.ts';
import { entropyReward } from './entropy-reward.ts';

const nan = Number.NaN;

describe('the entropy reward', () => {
  const batch = {
    rewards: [{ name: 'reward', values: [1, 1, 0, 1, nan, 2, 0, nan] }],
    groupSize: 4,
    entropy: [3, 4, 9, 5, 9, 1, 1, 1],
    refEntropy: [3, 3, 3, 3, 3, 3, 3, 3],
  };

  it('tells the best of a group apart by how near their entropy is to the reference', () => {
    const { values, weight } = entropyReward(batch, 0.4);
    const centre = (1 + 1 / 2 + 1 / 5) / 3;
    expect(weight).toBe(0.4);
    expect(values.slice(0, 4)).toEqual([1 - centre, 1 / 2 - centre, 0, 1 / 5 - centre]);
  });

  it('leaves a single best rollout and what cannot be scored as they are', () => {
    expect(entropyReward(batch, 0.4).values.slice(4)).toEqual([nan, 0, 0, nan]);
  });

  it('gives tied groups a direction when the algorithm asks for it', () => {
    const tied = {
      ...batch,
      rewards: [{ name: 'reward', values: [1, 1, 1, 1] }],
      entropy: [3, 4, 2, 5],
      refEntropy: [3, 3, 3, 3],
    };
    const algorithm = grpo(grpoConfig.parse({ entropyReward: 0.4 }, { source: 'test' }));
    expect(algorithm.needs.advantages).toEqual(['entropy', 'refEntropy']);
    const { advantages, statistics } = algorithm.advantages(tied);
    expect(advantages.indexOf(Math.max(...advantages))).toBe(0);
    expect(advantages.indexOf(Math.min(...advantages))).toBe(3);
    expect(advantages[1]).toBe(advantages[2]);
    expect(statistics).toMatchObject({ zeroStdFraction: 0, rewards: { reward: { std: 0 } } });
  });

  it('is refused without the entropies', () => {
    const { entropy: _, ...without } = batch;
    expect(() => entropyReward(without, 0.4)).toThrow('8 rollouts have 0 entropies and 8 of the reference');
  });
});
