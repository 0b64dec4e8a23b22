/** Parts of a loss that leave decisions out or weigh them: entropy, drift, similarity; and what of a loss is never differentiated. */
import { cast, createGraph, gradients, input, mul, output, sub } from '@gvu/onnx';
import { describe, expect, it } from 'vitest';
import { grpo, grpoConfig } from '../src/algorithms/grpo.ts';
import { rloo, rlooConfig } from '../src/algorithms/rloo.ts';
import { evaluate, useSharedRuntime } from './evaluate.ts';
import { type BatchValues, runLoss } from './run-losses.ts';

useSharedRuntime();

const make = (options: object) => grpo(grpoConfig.parse(options, { source: 'test' }));
const batch: BatchValues = {
  logp: [
    [-1, -1, -1, -1],
    [-1, -1, -1, -1],
  ],
  mask: [
    [1, 1, 1, 1],
    [1, 1, 1, 1],
  ],
  advantages: [1, -1],
};

describe('the share of high entropy', () => {
  it('alone carries the policy gradient and the bonus, and all decisions carry the KL divergence', async () => {
    const entropy = [
      [4, 1, 1, 1],
      [3, 1, 1, 1],
    ];
    const found = await runLoss(make({ topEntropyQuantile: 0.25, entropyCoefficient: 0.1 }), { ...batch, entropy });
    // Two of eight decisions lie above the 75 % quantile, which is 1.5.
    expect(found.gradient).toEqual([-1 / 8, 0, 0, 0, 1 / 8, 0, 0, 0]);
    for (const [i, slope] of found.entropyGradient.entries()) expect(slope).toBeCloseTo(i % 4 === 0 ? -0.05 : 0, 12);
    expect(found.metrics.entropy).toBeCloseTo(13 / 8, 12);

    const refLogp = batch.logp.map((row) => row.map(() => -2));
    const withKl = await runLoss(make({ topEntropyQuantile: 0.25, beta: 0.5 }), { ...batch, entropy, refLogp });
    const pull = (0.5 * (1 - Math.exp(-1))) / 8;
    for (const [i, slope] of withKl.gradient.entries()) expect(slope).toBeCloseTo((found.gradient[i] ?? 0) + pull, 12);
  });
});

describe('the off-policy threshold', () => {
  it('drops only what was bad and has become unlikely', async () => {
    const drifted = { ...batch, oldLogp: batch.logp.map((row) => row.map((value) => value + 0.1)) };
    const { gradient, metrics } = await runLoss(make({ offPolicyThreshold: 0.05 }), drifted);
    expect(gradient.slice(4)).toEqual([0, 0, 0, 0]);
    for (const slope of gradient.slice(0, 4)) expect(slope).toBeCloseTo(-Math.exp(-0.1) / 8, 12);
    expect(metrics['off_policy/dropped']).toBe(0.5);
    const kept = await runLoss(make({ offPolicyThreshold: 0.2 }), drifted);
    expect(kept.gradient.slice(4).every((slope) => slope > 0)).toBe(true);
    expect(kept.metrics['off_policy/dropped']).toBe(0);
  });
});

describe('similarity weights', () => {
  it('take the gradient from what winner and loser share, and give it to where they differ', async () => {
    const embeddings = {
      groupSize: 2,
      values: [
        [1, 1, 1, 1],
        [1, 1, 1, -1],
      ].map((row) => row.map((value) => [value, 0])),
    };
    const { gradient } = await runLoss(make({ tokenWeights: 'similarity' }), { ...batch, embeddings });
    const expected = [0, 0, 0, -4 / 8, 0, 0, 0, 4 / 8];
    for (const [i, slope] of expected.entries()) expect(gradient[i]).toBeCloseTo(slope, 12);
  });
});

describe('a loss', () => {
  it('is not differentiated through advantages, references, embeddings or old log-probabilities', async () => {
    const results = await evaluate((declare) => {
      const shift = declare('shift', 0);
      const like = (name: string, values: number[][]) => sub(declare(name, values), shift);
      const { loss } = make({ beta: 0.1, tokenWeights: 'similarity', offPolicyThreshold: 1 }).loss({
        logp: declare('logp', [[-1], [-2]]),
        mask: declare('mask', [[1], [1]], 'bool'),
        advantages: mul(declare('advantages', [1, -1]), sub(1, shift)),
        oldLogp: like('old', [[-1.1], [-1.9]]),
        refLogp: like('ref', [[-1.5], [-2.5]]),
        embeddings: { values: mul(declare('embeddings', [[[1, 0]], [[0, 1]]]), sub(1, shift)), groupSize: 2 },
      });
      output('loss', loss);
      for (const gradient of gradients(loss, [shift])) output('gradient', gradient);
    });
    expect(results.loss?.[0]).not.toBe(0);
    expect(results.gradient).toEqual([0]);
  });

  it('takes a mask that was computed in the graph', () => {
    const graph = createGraph();
    const real = input(graph, 'real', { dtype: 'int64', shape: [2, 3] });
    const float = (name: string, shape: readonly number[]) => input(graph, name, { dtype: 'float32', shape });
    const { loss } = make({}).loss({
      logp: float('logp', [2, 3]),
      mask: cast(real, 'bool'),
      advantages: float('a', [2]),
    });
    expect(loss.shape).toEqual([]);
  });
});

describe('RLOO', () => {
  const algorithm = rloo(rlooConfig.parse({ beta: 0.5 }, { source: 'test' }));

  it('takes the divergence off the reward and compares with the others', () => {
    const { advantages, rewards, statistics } = algorithm.advantages({
      rewards: [{ name: 'reward', values: [1, 2, Number.NaN, 6] }],
      groupSize: 4,
      sequenceKl: [2, 0, 5, 4],
    });
    // 1 - 1, 2 - 0, unscorable, 6 - 2
    expect(rewards).toEqual([0, 2, Number.NaN, 4]);
    expect(advantages).toEqual([-3, 0, 0, 3]);
    expect(statistics.rewards).toMatchObject({ reward: { mean: 3 }, kl: { mean: 2 } });
  });

  it('is refused without the divergences', () => {
    expect(() => algorithm.advantages({ rewards: [{ name: 'reward', values: [1, 2] }], groupSize: 2 })).toThrow(
      '2 rollouts have 0 KL divergences',
    );
  });

  it('weighs a rollout by the product of its ratios', async () => {
    const oldLogp = batch.logp.map((row) => row.map((value) => value - 0.03));
    const { gradient, metrics } = await runLoss(algorithm, { ...batch, oldLogp });
    expect(metrics['ratio/mean']).toBeCloseTo(Math.exp(0.12), 12);
    for (const [i, slope] of gradient.entries()) expect(slope).toBeCloseTo(((i < 4 ? -1 : 1) * Math.exp(0.12)) / 2, 12);
  });
});
