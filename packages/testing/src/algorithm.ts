/**
 * The conformance kit of algorithms: properties of advantages and of the gradient that hold whatever the formula. The reference policy is the
 * policy itself in all of them, so a KL penalty has nothing to add; terms that push without any reward (an entropy bonus) are looked
 * at only where they cannot reach the log-probabilities.
 */
import assert from 'node:assert/strict';
import type { Runtime } from '@gvu/onnx';
import type { Algorithm, RewardBatch } from '@gvu/rl';
import { assertClose, assertCoded } from './assertions.ts';
import { learnBandit } from './bandit.ts';
import { type ConformanceCheck, withTolerances } from './check.ts';
import { type LossInputs, lossOf } from './loss-program.ts';

export interface AlgorithmConformanceOptions {
  /** Where its losses are computed. It belongs to the caller. */
  readonly runtime: Runtime;
  readonly create: () => Algorithm | Promise<Algorithm>;
  readonly tolerances?: Partial<AlgorithmTolerances>;
}

const algorithmTolerances = {
  /** Between the loss in float32 and in float64, relative to the largest slope. */
  float32: 1e-4,
};
export type AlgorithmTolerances = typeof algorithmTolerances;

const logp = [
  [-1.2, -0.4, -2.1, -0.9, -1.5],
  [-0.7, -1.9, -0.3, -1.1, -2.4],
  [-2.2, -0.8, -1.4, -0.6, -1.0],
  [-0.5, -1.3, -1.7, -2.0, -0.2],
];
const mask = [
  [1, 1, 1, 1, 1],
  [1, 1, 1, 0, 0],
  [1, 0, 1, 1, 0],
  [1, 1, 0, 0, 0],
];
const advantages = [1.5, -0.5, 0.25, -1.25];
const onPolicy: LossInputs = { logp, mask, advantages };
const offPolicy: LossInputs = {
  ...onPolicy,
  oldLogp: logp.map((row) => row.map((x, t) => x + 0.03 * Math.sin(5 * t + x))),
};
const banditSteps = 60;

/** Throws GVU_TESTING_OPTIONS for a tolerance that proves nothing. */
export function algorithmConformance(options: AlgorithmConformanceOptions): readonly ConformanceCheck[] {
  const { runtime } = options;
  const tolerances = withTolerances(algorithmTolerances, options.tolerances);
  const create = async () => await options.create();
  const advantagesOf = (algorithm: Algorithm, values: readonly number[], groupSize = 4) =>
    algorithm.advantages(rewardBatch(values, groupSize)).advantages;

  return [
    {
      name: 'gives every rollout a finite advantage, and none where rewards tie or are missing',
      async run() {
        const algorithm = await create();
        const found = advantagesOf(algorithm, [1, 2, Number.NaN, 4, 3, 3, 3, 3]);
        assert.equal(found.length, 8);
        assert.ok(found.every(Number.isFinite), `an advantage of ${found} is not finite`);
        const nothing = [found[2] ?? Number.NaN, ...found.slice(4)];
        assertClose(nothing, [0, 0, 0, 0, 0], {
          tolerance: 1e-9,
          what: 'advantages without a reward, and of a tied group',
        });
      },
    },
    {
      name: 'prefers the better of a group, whatever other groups have',
      async run() {
        const algorithm = await create();
        const [a, b] = [
          [1, 4, 2, 3],
          [9, 3, 7, 5],
        ] as const;
        const order = (values: readonly number[]) =>
          [...values.keys()].sort((i, j) => (values[i] ?? 0) - (values[j] ?? 0));
        const both = advantagesOf(algorithm, [...a, ...b]);
        const swapped = advantagesOf(algorithm, [...b, ...a]);
        for (const [found, rewards] of [
          [both.slice(0, 4), a],
          [both.slice(4), b],
        ] as const)
          assert.deepEqual(order(found), order(rewards), 'a better reward has a greater advantage');
        const exact = { tolerance: 1e-9, what: 'the order of groups does not matter' };
        assertClose([...swapped.slice(4), ...swapped.slice(0, 4)], both, exact);
      },
    },
    {
      name: 'refuses rewards of no whole groups, and tensors that do not fit',
      async run() {
        const algorithm = await create();
        await assertCoded(
          async () => advantagesOf(algorithm, [1, 2, 3]),
          /_REWARDS$/,
          'three rewards in groups of four',
        );
        const short: LossInputs = { ...onPolicy, advantages: [1, 2] };
        await assertCoded(
          () => lossOf(runtime, { algorithm, inputs: short }),
          /_TENSORS$/,
          'two advantages for four rows',
        );
      },
    },
    {
      name: 'has no gradient without advantages',
      async run() {
        const inputs = { ...onPolicy, advantages: advantages.map(() => 0) };
        const { gradient } = await lossOf(runtime, { algorithm: await create(), inputs });
        assertClose(
          gradient,
          gradient.map(() => 0),
          { tolerance: 1e-12, what: 'the gradient without advantages' },
        );
      },
    },
    {
      name: 'makes what went well likelier, and what went badly less likely',
      async run() {
        const { gradient } = await lossOf(runtime, { algorithm: await create(), inputs: onPolicy });
        const length = gradient.length / advantages.length;
        for (const [row, advantage] of advantages.entries()) {
          const slopes = gradient.slice(row * length, (row + 1) * length).map((value) => -value * Math.sign(advantage));
          assert.ok(
            slopes.every((value) => value >= 0) && slopes.some((value) => value > 0),
            `rollout ${row} with the advantage ${advantage} is pushed by ${slopes}`,
          );
        }
      },
    },
    {
      name: 'does not see what the mask hides, not even NaN',
      async run() {
        const algorithm = await create();
        for (const inputs of [onPolicy, offPolicy]) {
          const expected = await lossOf(runtime, { algorithm, inputs });
          const found = await lossOf(runtime, { algorithm, inputs: hidden(inputs) });
          const exact = (what: string) => ({ tolerance: 1e-12, what: `${what}, with NaN where the mask hides` });
          assertClose([found.loss], [expected.loss], exact('the loss'));
          assertClose(found.gradient, expected.gradient, exact('the gradient'));
        }
      },
    },
    {
      name: 'gives a finite loss and finite metrics, each one number',
      async run() {
        const algorithm = await create();
        for (const inputs of [onPolicy, offPolicy]) {
          const { loss, metrics } = await lossOf(runtime, { algorithm, inputs });
          for (const [name, value] of Object.entries({ loss, ...metrics }))
            assert.ok(Number.isFinite(value), `${name} is ${value}, not one finite number`);
        }
      },
    },
    {
      name: 'computes in float32 what it computes in float64',
      async run() {
        const algorithm = await create();
        const exact = await lossOf(runtime, { algorithm, inputs: offPolicy });
        const single = await lossOf(runtime, { algorithm, inputs: offPolicy, dtype: 'float32' });
        const scale = Math.max(...exact.gradient.map(Math.abs));
        const what = 'the gradient in float32';
        assertClose(single.gradient, exact.gradient, { tolerance: tolerances.float32 * scale, what });
      },
    },
    {
      name: 'learns which arm is paid for',
      async run() {
        const probability = await learnBandit({ runtime, algorithm: await create() }, { steps: banditSteps });
        assert.ok(probability > 0.6, `after ${banditSteps} steps the paid arm has the probability ${probability}`);
      },
    },
  ];
}

/** One reward, with everything that an algorithm may want to know besides. */
function rewardBatch(values: readonly number[], groupSize: number): RewardBatch {
  const zeros = values.map(() => 0);
  return { rewards: [{ name: 'reward', values }], groupSize, sequenceKl: zeros, entropy: zeros, refEntropy: zeros };
}

/** The same with NaN in every place that does not count. */
function hidden({ logp: values, oldLogp, ...rest }: LossInputs): LossInputs {
  const hide = (rows: LossInputs['logp']) =>
    rows.map((row, b) => row.map((value, t) => (mask[b]?.[t] === 1 ? value : Number.NaN)));
  return { ...rest, logp: hide(values), ...(oldLogp && { oldLogp: hide(oldLogp) }) };
}
