/** Runs of the toy backend: a configuration, and the parts that it would name. */
import { fillUniform } from '@gvu/core';
import type { Runtime } from '@gvu/onnx';
import type { Reward, RewardDeps } from '@gvu/rewards';
import {
  type Algorithm,
  grpo,
  grpoConfig,
  type PromptSource,
  type RunConfig,
  type RunParts,
  runConfig,
} from '../src/index.ts';
import { decisions, ToyBackend, toyPrompts, wanted } from './toy-backend.ts';

export function toyConfig(changes: Record<string, unknown> = {}): RunConfig {
  return runConfig.parse(
    {
      steps: 6,
      promptsPerStep: 4,
      groupSize: 4,
      microBatch: 8,
      learningRate: 0.05,
      warmupSteps: 0,
      adapter: { rank: 2, alpha: 4 },
      evaluation: { every: 3, perTag: 1, tests: 0 },
      checkpoint: { every: 2 },
      record: { groups: 1 },
      ...changes,
    },
    { source: 'The test' },
  );
}

export const toySource: PromptSource = {
  name: 'toy',
  version: '1',
  train(address) {
    const uniform = new Float32Array(1);
    fillUniform(uniform, address);
    const prompt = toyPrompts[Math.floor((uniform[0] ?? 0) * toyPrompts.length)] ?? 'a';
    return { prompt, tag: prompt };
  },
  heldOut: ({ perTag }) =>
    toyPrompts.flatMap((prompt) => Array.from({ length: perTag }, () => ({ prompt, tag: prompt }))),
};

/** The share of places that have the token their prompt wants. */
export const rightTokens: Reward = {
  name: 'right',
  version: '1',
  inputs: ['tokens'],
  range: [0, 1],
  deterministic: true,
  score: async (rollouts) => ({
    values: rollouts.map(
      ({ prompt, tokens = new Int32Array() }) =>
        [...tokens].filter((token, place) => token === wanted(prompt, place)).length / decisions,
    ),
  }),
};

/** Asks a teacher, so that what it reads with is kept and recorded. */
export function readerReward(kind: 'live' | 'frozen' | 'ema') {
  return ({ reader }: RewardDeps): Reward => {
    const teacher = reader(kind);
    return {
      name: 'read',
      version: '1',
      inputs: ['tokens'],
      range: [Number.NEGATIVE_INFINITY, 0],
      deterministic: true,
      async score(rollouts, options) {
        const perToken = await teacher.read(
          rollouts.map(({ prompt, tokens = new Int32Array() }) => ({ image: { tokens }, text: prompt })),
          options,
        );
        return {
          values: perToken.map(({ logProbs }) => logProbs[0] ?? Number.NaN),
          perToken,
          teacher: { kind, version: teacher.version(), representation: 'emitted-tokens' },
        };
      },
    };
  };
}

export interface ToyParts {
  readonly algorithm?: Algorithm;
  readonly reward?: (deps: RewardDeps) => Reward;
}

export const defaultAlgorithm = grpo(grpoConfig.parse({}, { source: 'The test' }));

export function toyParts(
  runtime: Runtime,
  { algorithm = defaultAlgorithm, reward = () => rightTokens }: ToyParts = {},
): RunParts {
  return {
    runtime,
    backend: new ToyBackend(runtime),
    prompts: toySource,
    algorithm,
    rewards: async (deps) => [{ reward: reward(deps), weight: 1, onError: 'fail' }],
    judges: async () => [{ reward: rightTokens, weight: 1, onError: 'fail' }],
  };
}
