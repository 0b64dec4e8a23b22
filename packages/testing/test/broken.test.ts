/** The kits find out what is broken: each mistake, made on purpose, fails the check that is there for it. */
import { randomStream } from '@gvu/core';
import type { Backend } from '@gvu/models';
import { add, mul, neg, Runtime, stopGradient, sum } from '@gvu/onnx';
import { type Reward, type Rollout, randomReward } from '@gvu/rewards';
import { type Algorithm, grpo, grpoConfig } from '@gvu/rl';
import { afterAll, describe, expect, it } from 'vitest';
import { algorithmConformance } from '../src/algorithm.ts';
import { backendConformance } from '../src/backend/conformance.ts';
import { type ConformanceCheck, runChecks } from '../src/check.ts';
import { rewardConformance } from '../src/reward.ts';
import { tinyBackend } from './tiny-backend.ts';

const runtime = await Runtime.create({ threads: 1, cacheLimit: 32 });
afterAll(() => runtime.dispose());

/** The failure of the one check whose name begins so. */
async function failureOf(checks: readonly ConformanceCheck[], name: string): Promise<unknown> {
  const found = checks.filter((check) => check.name.startsWith(name));
  expect(found.length, name).toBe(1);
  return (await runChecks(found)).failed[0]?.error;
}

const prompts = ['a dog', 'two cats', 'a long red train'];
const kitOf = (create: () => Backend) => backendConformance({ runtime, create, prompts });

/** A backend with some of its parts replaced. */
function altered(change: (backend: Backend) => Partial<Backend>): () => Backend {
  return () => {
    const backend = tinyBackend(runtime);
    const { name, version, policy, image, representations, parameters, modules, defaultTargets, sampler, trainable } =
      backend;
    return {
      ...{ name, version, policy, image, representations, parameters, modules, defaultTargets, sampler, trainable },
      draw: (...all) => backend.draw(...all),
      decode: (...all) => backend.decode(...all),
      read: (...all) => backend.read(...all),
      answer: (...all) => backend.answer(...all),
      [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
      ...change(backend),
    };
  };
}

const stream = randomStream(1, 'broken');
const brokenBackends: readonly (readonly [mistake: string, check: string, () => Backend])[] = [
  [
    'noise that depends on the place in the batch',
    'draws the same alone',
    altered((backend) => ({
      draw: (requests, use) =>
        backend.draw(
          requests.map((request, i) => ({ ...request, randomness: stream.at(i) })),
          use,
        ),
    })),
  ],
  [
    'log-probabilities that are a thousandth off',
    'differentiates the policy',
    altered((backend) => ({
      draw: async (...all) =>
        (await backend.draw(...all)).map((drawing) => ({
          ...drawing,
          logProbs: drawing.logProbs.map((value) => value - 1e-3),
        })),
    })),
  ],
  [
    'a gradient that is twice as long',
    'has the gradient that differences',
    altered(({ trainable }) => ({
      trainable: {
        ...trainable,
        build: (graph, options) => {
          const terms = trainable.build(graph, options);
          return { ...terms, logp: add(mul(terms.logp, 2), neg(stopGradient(terms.logp))) };
        },
      },
    })),
  ],
  [
    'an adapter that is ignored',
    'is as without an adapter',
    altered((backend) => ({ draw: (requests) => backend.draw(requests) })),
  ],
  [
    'a signal that is ignored',
    'stops drawing',
    altered((backend) => ({ draw: (requests, { signal: _, ...use } = {}) => backend.draw(requests, use) })),
  ],
  [
    'eyes that are shut',
    'looks at the image',
    altered((backend) => ({
      read: (requests, use) =>
        backend.read(
          requests.map((request) => ({ ...request, image: { none: true } })),
          use,
        ),
    })),
  ],
  [
    'pictures of another size',
    'gives pictures of the declared size',
    altered(({ image }) => ({ image: { ...image, width: 3 } })),
  ],
  [
    'a text that is always taken',
    'refuses texts that it cannot draw',
    altered((backend) => ({
      draw: (requests, use) =>
        backend.draw(
          requests.map((request) => ({ ...request, prompt: request.prompt || 'a' })),
          use,
        ),
    })),
  ],
];

describe('of a backend', () => {
  it('nothing fails while nothing is broken', async () => {
    expect((await runChecks(kitOf(() => tinyBackend(runtime)))).failed).toEqual([]);
  });

  it.each(brokenBackends)('%s fails "%s"', async (_, check, create) => {
    const plain = altered(() => ({}));
    expect(await failureOf(kitOf(plain), check)).toBeUndefined();
    expect(await failureOf(kitOf(create), check)).toBeInstanceOf(Error);
  });

  it('a tolerance that proves nothing, and too few prompts, are refused', () => {
    const create = () => tinyBackend(runtime);
    for (const wrong of [
      { tolerances: { logProbs: 0.2 } },
      { tolerances: { gradient: Number.NaN } },
      { prompts: ['a'] },
    ])
      expect(() => backendConformance({ runtime, create, prompts, ...wrong })).toThrow(/GVU_TESTING_OPTIONS/);
  });
});

const rollouts: readonly Rollout[] = [0, 1, 2].map((sample) => ({
  prompt: 'a dog',
  address: { step: 0, prompt: 0, sample },
  tokens: Int32Array.of(sample, 1),
}));
const brokenRewards: readonly (readonly [mistake: string, check: string, Partial<Reward>])[] = [
  ['values beyond the range', 'gives each rollout a number', { range: [0, 0.01] }],
  [
    'a value of its place in the batch',
    'gives a rollout the same number',
    { score: async (batch) => ({ values: batch.map((__, i) => i / 10) }) },
  ],
  [
    'a number for what lacks an input',
    'refuses or leaves unscored',
    { inputs: ['tokens'], score: async (batch) => ({ values: batch.map(({ tokens }) => (tokens?.length ?? 0) / 10) }) },
  ],
];
it.each(brokenRewards)('of a reward, %s fails "%s"', async (_, check, change) => {
  const create = () => ({ ...randomReward(1), ...change });
  expect(await failureOf(rewardConformance({ create: () => randomReward(1), rollouts }), check)).toBeUndefined();
  expect(await failureOf(rewardConformance({ create, rollouts }), check)).toBeInstanceOf(Error);
});

const right = grpo(grpoConfig.parse({}, { source: 'test' }));
const brokenAlgorithms: readonly (readonly [mistake: string, check: string, Partial<Algorithm>])[] = [
  [
    'a loss of the wrong sign',
    'makes what went well likelier',
    {
      loss: (batch) => {
        const { loss, metrics } = right.loss(batch);
        return { loss: neg(loss), metrics };
      },
    },
  ],
  [
    'a loss that sees what the mask hides',
    'does not see what the mask hides',
    {
      loss: (batch) => {
        const { loss, metrics } = right.loss(batch);
        return { loss: add(loss, mul(sum(batch.logp), 1e-3)), metrics };
      },
    },
  ],
  [
    'advantages upside down',
    'prefers the better of a group',
    {
      advantages: (batch) => {
        const found = right.advantages(batch);
        return { ...found, advantages: found.advantages.map((value) => -value) };
      },
    },
  ],
];
it.each(brokenAlgorithms)('of an algorithm, %s fails "%s"', async (_, check, change) => {
  expect(await failureOf(algorithmConformance({ runtime, create: () => right }), check)).toBeUndefined();
  const create = () => ({ ...right, ...change });
  expect(await failureOf(algorithmConformance({ runtime, create }), check)).toBeInstanceOf(Error);
});
