/**
 * The control: a reward that has nothing to do with the image. What training with it changes is the doing of the training
 * itself. Uniform in (0, 1), and a function of seed and rollout alone, so that a resumed run draws the same numbers.
 */
import { fillUniform, randomStream } from '@gvu/core';
import type { Reward } from './reward.ts';

/** `seed` as in `randomStream`. */
export function randomReward(seed: number): Reward {
  const stream = randomStream(seed, 'rewards/random');
  const value = new Float32Array(1);
  return {
    name: 'random',
    version: '1',
    inputs: [],
    range: [0, 1],
    deterministic: true,
    score: async (rollouts) => ({
      values: rollouts.map(({ address: { step, prompt, sample } }) => {
        fillUniform(value, stream.at(step, prompt, sample));
        return value[0] ?? Number.NaN;
      }),
    }),
  };
}
