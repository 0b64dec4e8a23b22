/**
 * The conformance kit of rewards. A reward is asked about rollouts in every company and order, about less than it needs and about garbage: its
 * numbers must be of the rollout alone, in the declared range or NaN, and what it cannot judge it must refuse, never guess.
 */
import assert from 'node:assert/strict';
import { isGvuError } from '@gvu/core';
import type { Reward, RewardInput, RewardScores, Rollout } from '@gvu/rewards';
import { assertClose, assertLogProbs, assertSettles } from './assertions.ts';
import { type ConformanceCheck, withTolerances } from './check.ts';
import { testingErrors } from './errors.ts';

export interface RewardConformanceOptions {
  /** A new instance each time, as a run would make it. */
  readonly create: () => Reward | Promise<Reward>;
  /** Three or more different rollouts with all that the reward's `inputs` list, at least one of which it can judge. */
  readonly rollouts: readonly Rollout[];
  readonly tolerances?: Partial<RewardTolerances>;
  /** How long an aborted call may go on, in milliseconds. Default 10 000. */
  readonly abortBudgetMs?: number;
}

const rewardTolerances = {
  /** Between two values of one rollout, absolute, for a reward that is deterministic. */
  values: 1e-4,
};
export type RewardTolerances = typeof rewardTolerances;

const inputs: readonly RewardInput[] = ['metadata', 'tokens', 'pixels', 'reference'];
const { signal } = new AbortController();

/** Throws GVU_TESTING_OPTIONS for options that leave nothing to test. */
export function rewardConformance(options: RewardConformanceOptions): readonly ConformanceCheck[] {
  const { rollouts, abortBudgetMs = 10_000 } = options;
  const { values: tolerance } = withTolerances(rewardTolerances, options.tolerances);
  if (rollouts.length < 3)
    throw testingErrors.error('GVU_TESTING_OPTIONS', `There are ${rollouts.length} rollouts.`, {
      hint: 'Give three or more different ones that the reward can judge.',
    });
  const create = async () => await options.create();
  const same = (found: readonly number[], expected: readonly number[], what: string) =>
    assertClose(found, expected, { tolerance, what });

  return [
    {
      name: 'says what it is, in the terms of the contract',
      async run() {
        const reward = await create();
        const [low, high] = reward.range;
        assert.ok(reward.name !== '' && reward.version !== '', 'name and version say something');
        assert.ok(low < high, `its range is ${low} to ${high}`);
        for (const input of reward.inputs) assert.ok(inputs.includes(input), `'${input}' is no input of a reward`);
        assert.equal((await create()).version, reward.version, 'two instances with the same options have one version');
      },
    },
    {
      name: 'gives each rollout a number of its range, or NaN',
      async run() {
        const reward = await create();
        const scores = await reward.score(rollouts, { signal });
        assertScores(scores, { reward, rollouts });
        assert.ok(
          scores.values.some((value) => !Number.isNaN(value)),
          'all rollouts are unscorable: nothing is tested',
        );
        const nothing = await reward.score([], { signal });
        assert.deepEqual(nothing.values, [], 'no rollouts have no values');
      },
    },
    {
      name: 'gives a rollout the same number alone, beside others, in another order and asked again',
      async run() {
        const reward = await create();
        if (!reward.deterministic) return;
        const { values } = await reward.score(rollouts, { signal });
        same((await reward.score(rollouts, { signal })).values, values, 'asked again');
        same((await (await create()).score(rollouts, { signal })).values, values, 'asked of another instance');
        const reversed = await reward.score([...rollouts].reverse(), { signal });
        same(reversed.values.toReversed(), values, 'in another order');
        for (const [i, rollout] of rollouts.entries())
          same((await reward.score([rollout], { signal })).values, values.slice(i, i + 1), `rollout ${i} alone`);
      },
    },
    {
      name: 'looks at nothing that it does not declare, and changes nothing that it is given',
      async run() {
        const reward = await create();
        const needed = rollouts.map((rollout) => only(rollout, reward.inputs));
        const copies = structuredClone(needed);
        const scores = await reward.score(needed, { signal });
        assertScores(scores, { reward, rollouts });
        if (reward.deterministic)
          same(scores.values, (await reward.score(rollouts, { signal })).values, 'without undeclared inputs');
        assert.deepEqual(needed, copies, 'the rollouts were changed');
      },
    },
    {
      name: 'refuses or leaves unscored what lacks an input',
      async run() {
        const reward = await create();
        for (const missing of reward.inputs) {
          const lacking = only(
            rollouts[0] ?? noRollout,
            reward.inputs.filter((input) => input !== missing),
          );
          await assertUnscored(reward, lacking, `a rollout without ${missing}`);
        }
      },
    },
    {
      name: 'judges garbage within its range, or refuses it with a code',
      async run() {
        const reward = await create();
        for (const [what, rollout] of Object.entries(garbage(rollouts[0] ?? noRollout, reward.inputs))) {
          const scores = await orCoded(() => reward.score([rollout], { signal }), what);
          if (scores) assertScores(scores, { reward, rollouts: [rollout] });
        }
      },
    },
    {
      name: 'stops when it is told to, and judges again afterwards',
      async run() {
        const reward = await create();
        const score = (given: AbortSignal) => reward.score(rollouts, { signal: given });
        await assertSettles(score, { what: 'score', budgetMs: abortBudgetMs });
        assertScores(await score(signal), { reward, rollouts });
      },
    },
  ];
}

const noRollout: Rollout = { prompt: '', address: { step: 0, prompt: 0, sample: 0 } };

function assertScores(
  { values, perToken, trace }: RewardScores,
  { reward, rollouts }: { reward: Reward; rollouts: readonly Rollout[] },
): void {
  const [low, high] = reward.range;
  assert.equal(values.length, rollouts.length, 'values');
  for (const [i, value] of values.entries())
    assert.ok(
      Number.isNaN(value) || (Number.isFinite(value) && value >= low && value <= high),
      `rollout ${i} gets ${value}, which is not in ${low} to ${high}`,
    );
  if (trace) assert.equal(trace.length, rollouts.length, 'traces');
  if (!perToken) return;
  assert.equal(perToken.length, rollouts.length, 'perToken');
  for (const [i, { tokens, logProbs }] of perToken.entries()) {
    assert.equal(tokens.length, logProbs.length, `rollout ${i}: log-probabilities of tokens`);
    assertLogProbs(logProbs, `rollout ${i}`);
  }
}

/** What every rollout has, and these inputs. */
function only(rollout: Rollout, kept: readonly RewardInput[]): Rollout {
  const { prompt, address } = rollout;
  return Object.assign({ prompt, address }, ...kept.map((input) => ({ [input]: rollout[input] })));
}

/** Rollouts that a broken model or file could give. */
function garbage(rollout: Rollout, declared: readonly RewardInput[]): Readonly<Record<string, Rollout>> {
  const pixels = (data: Uint8Array) => ({ ...rollout, pixels: { width: 2, height: 2, data } });
  return {
    ...(declared.includes('tokens') && { 'no tokens': { ...rollout, tokens: new Int32Array() } }),
    ...(declared.includes('pixels') && {
      'a picture of too few bytes': pixels(new Uint8Array(5)),
      'a black picture of four pixels': pixels(new Uint8Array(12)),
    }),
    ...(declared.includes('metadata') && {
      'metadata of another kind': { ...rollout, metadata: [null, 'garbage', 1e308] },
    }),
    'an empty prompt': { ...rollout, prompt: '' },
  };
}

async function assertUnscored(reward: Reward, rollout: Rollout, what: string): Promise<void> {
  const scores = await orCoded(() => reward.score([rollout], { signal }), what);
  if (scores)
    assert.ok(
      scores.values.every((value) => Number.isNaN(value)),
      `${what} gets ${scores.values}; it must be refused with a code, or get NaN`,
    );
}

/** The scores; undefined when they are refused with a code of GvU or of the plugin. */
async function orCoded(work: () => Promise<RewardScores>, what: string): Promise<RewardScores | undefined> {
  try {
    return await work();
  } catch (error) {
    assert.ok(isGvuError(error), `${what} must be refused with a code, not with ${String(error)}`);
    return undefined;
  }
}
