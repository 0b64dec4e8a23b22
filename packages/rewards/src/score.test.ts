import { describe, expect, it } from 'vitest';
import { gate } from './gate.ts';
import { randomReward } from './random.ts';
import type { Reward, Rollout } from './reward.ts';
import { type RewardEntry, scoreRollouts } from './score.ts';

const rollouts: readonly Rollout[] = ['a', 'bb', 'broken', 'dddd'].map((prompt, sample) => ({
  prompt,
  address: { step: 3, prompt: 0, sample },
}));

/** The length of the prompt; `broken` in a batch breaks the batch. */
function lengthReward(options: Partial<Reward> & { broken?: (rollout: Rollout) => number } = {}): Reward {
  const { broken = () => 6, ...rest } = options;
  return {
    name: 'length',
    version: '1',
    inputs: [],
    range: [0, 10],
    deterministic: true,
    score: async (batch) => ({
      values: batch.map((rollout) => (rollout.prompt === 'broken' ? broken(rollout) : rollout.prompt.length)),
    }),
    ...rest,
  };
}

const throwing = () => {
  throw new Error('no such image');
};
const entry = (reward: Reward, onError: RewardEntry['onError'] = 'fail'): RewardEntry => ({
  reward,
  weight: 0.5,
  onError,
});

describe('scoring rollouts', () => {
  it('gives a column for each reward, in order, with what the reward says of itself', async () => {
    const [first, second] = await scoreRollouts(
      [entry(lengthReward()), { reward: randomReward(1), weight: 0, onError: 'fail' }],
      rollouts,
    );
    expect(first).toEqual({ name: 'length', version: '1', weight: 0.5, values: [1, 2, 6, 4], failures: 0 });
    expect(second).toMatchObject({ name: 'random', weight: 0, failures: 0 });
  });

  it('rejects with the reward’s own error as cause', async () => {
    await expect(scoreRollouts([entry(lengthReward({ broken: throwing }))], rollouts)).rejects.toMatchObject({
      code: 'GVU_REWARD_FAILED',
      message: expect.stringContaining("The reward 'length' failed: no such image."),
      cause: expect.objectContaining({ message: 'no such image' }),
    });
  });

  it.each([
    ['skip-sample', Number.NaN],
    ['zero', 0],
  ] as const)('costs only the rollout at fault with %s, and counts it', async (onError, substitute) => {
    const [scored] = await scoreRollouts([entry(lengthReward({ broken: throwing }), onError)], rollouts);
    expect(scored).toMatchObject({ values: [1, 2, substitute, 4], failures: 1 });
    expect(scored?.firstFailure).toMatchObject({ code: 'GVU_REWARD_FAILED' });
  });

  it('lets a reward say that it cannot judge, which is no failure', async () => {
    const [scored] = await scoreRollouts([entry(lengthReward({ broken: () => Number.NaN }))], rollouts);
    expect(scored).toMatchObject({ values: [1, 2, Number.NaN, 4], failures: 0 });
  });

  it.each([
    ['too few values', lengthReward({ score: async () => ({ values: [1] }) }), 'gave 1 values for 4 rollouts'],
    ['an infinite value', lengthReward({ broken: () => Number.NEGATIVE_INFINITY }), 'gave -Infinity for rollout 2'],
    [
      'a value outside its range',
      lengthReward({ broken: () => 11 }),
      'gave 11 for rollout 2, outside its range of 0 to 10',
    ],
    [
      'infinity in an open range',
      lengthReward({ range: [0, Number.POSITIVE_INFINITY], broken: () => Number.POSITIVE_INFINITY }),
      'gave Infinity',
    ],
  ])('takes %s for a failure', async (_, reward, problem) => {
    await expect(scoreRollouts([entry(reward)], rollouts)).rejects.toThrow(problem);
  });

  it('stops the other rewards when one fails, and waits until they have stopped', async () => {
    let stopped = false;
    const patient = lengthReward({
      name: 'patient',
      score: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () =>
            setTimeout(() => {
              stopped = true;
              reject(signal.reason);
            }, 5),
          );
        }),
    });
    const failing = scoreRollouts([entry(patient, 'zero'), entry(lengthReward({ broken: throwing }))], rollouts);
    await expect(failing).rejects.toMatchObject({
      code: 'GVU_REWARD_FAILED',
      message: expect.stringContaining("'length'"),
    });
    expect(stopped).toBe(true);
  });

  it('ends with the reason of an abort, whatever the policy', async () => {
    const controller = new AbortController();
    const aborting = lengthReward({
      score: async () => {
        controller.abort(new Error('enough'));
        throw new Error('interrupted');
      },
    });
    await expect(scoreRollouts([entry(aborting, 'zero')], rollouts, { signal: controller.signal })).rejects.toThrow(
      'enough',
    );
  });
});

describe('the random reward', () => {
  it('is a function of seed and rollout alone', async () => {
    const score = async (seed: number, list: readonly Rollout[]) =>
      (await scoreRollouts([entry(randomReward(seed))], list))[0]?.values;
    const all = (await score(1, rollouts)) ?? [];
    expect(await score(1, rollouts.toReversed())).toEqual(all.toReversed());
    expect(await score(1, rollouts.slice(2))).toEqual(all.slice(2));
    expect(await score(2, rollouts)).not.toEqual(all);
    expect(new Set(all).size).toBe(4);
  });
});

it('tells two of one kind apart by the names that their entries have', async () => {
  const [first, second] = await scoreRollouts(
    [entry(lengthReward({ broken: () => 1 })), { ...entry(lengthReward()), name: 'again' }],
    rollouts,
  );
  expect([first?.name, second?.name]).toEqual(['length', 'again']);
  expect([first?.values[2], second?.values[2]]).toEqual([1, 6]);
});

describe('a gate', () => {
  it('lets through where the guard is satisfied, and is unscorable where either is', () => {
    const nan = Number.NaN;
    const options = { least: 0.5, otherwise: -1 };
    expect(gate([1, 2, 3, nan, 5], [0.5, 0.4, nan, 1, 0.9], options)).toEqual([1, -1, nan, nan, 5]);
  });

  it('works between the rewards of a run, whatever their order, and counts', async () => {
    const named = (name: string, factor: number) =>
      lengthReward({
        name,
        range: [-10, 10],
        score: async (batch) => ({ values: batch.map(({ prompt }) => factor * prompt.length) }),
      });
    const gates = (by: string, least: number) => ({ by, least, otherwise: -9 });
    const [first, guard] = await scoreRollouts(
      [
        { ...entry(named('wanted', 1)), gate: gates('guard', -4) },
        // The guard is gated itself, which the first one does not see.
        { ...entry(named('guard', -1)), weight: 0, gate: gates('wanted', 5) },
      ],
      rollouts,
    );
    expect(first).toMatchObject({ values: [1, 2, -9, 4], gated: 1 });
    expect(guard).toMatchObject({ values: [-9, -9, -6, -9], gated: 3 });
    await expect(scoreRollouts([{ ...entry(named('a', 1)), gate: gates('b', 0) }], rollouts)).rejects.toThrow(
      "no reward 'b' to gate 'a' by",
    );
  });
});
