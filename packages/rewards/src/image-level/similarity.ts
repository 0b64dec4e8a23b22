/**
 * Rewards that are a function of the cosine between a picture's and a text's embedding, on checkpoints that the user supplies:
 *
 *   clip-score   2.5 max(cos, 0), the text after "A photo depicts"  CLIPScore (Hessel et al. 2021; jmhessel/clipscore @ 1036465), CLIP B/32
 *                or the cosine, or scale × cos ÷ 30                 T2I-R1 (CLIP H/14), flow_grpo (CLIP L/14)
 *   siglip       scale × cos + bias, or its sigmoid                 SigLIP (Zhai et al. 2023): absolute, no batch needed
 *   pick-score   scale × cos ÷ 26                                   PickScore (Kirstain et al. 2023; @ f79607f), the divisor of flow_grpo
 *   hps-v2       cos                                                HPSv2 and v2.1 (Wu et al. 2023; @ 866735e), often given × 100
 *
 * Known failures: texts are cut (CLIP after 77 tokens, SigLIP after 64); counts, relations and which colour belongs to what count for
 * little; HPSv2 draws a policy to bright, glossy pictures, and its numbers compare for one prompt and one version alone.
 */
import { defineConfig } from '@gvu/core';
import type { Runtime } from '@gvu/onnx';
import { rewardErrors } from '../errors.ts';
import type { Reward, RewardDeps } from '../reward.ts';
import { rolloutInput } from '../rollout-input.ts';
import { type Encoder, openEncoder } from './encoder/open-encoder.ts';
import type { Fitting } from './encoder/prepare-picture.ts';

const checkpoint = {
  model: {
    type: 'string',
    minLength: 1,
    description:
      'Directory of the checkpoint: config.json and safetensors of transformers, or open_clip_config.json and one file of weights; tokenizer.json and tokenizer_config.json with either.',
  },
  weights: {
    type: 'string',
    minLength: 1,
    description:
      'File of the directory that has the weights: safetensors, what torch.save wrote, or the whole model as ONNX (onnx/model.onnx). Default: model.safetensors or its shards.',
  },
} as const;

export const clipScoreConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['model'],
  properties: {
    ...checkpoint,
    form: {
      enum: ['clip-score', 'cosine', 'logit'],
      default: 'clip-score',
      description: '2.5 max(cos, 0) as CLIPScore, the cosine, or scale × cos ÷ 30 as flow_grpo.',
    },
    prefix: {
      type: 'string',
      description: 'What is put before the prompt. Default: "A photo depicts " for clip-score, nothing for the others.',
    },
  },
});

export const siglipConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['model'],
  properties: {
    ...checkpoint,
    form: {
      enum: ['logit', 'probability'],
      default: 'logit',
      description:
        'The logit, or its sigmoid: the probability that picture and prompt belong together, which is nearly always next to 0 or 1 and so tells drawings of a group less well apart.',
    },
  },
});

export const pickScoreConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['model'],
  properties: {
    ...checkpoint,
    divisor: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 26,
      description: 'What the score of about 18 to 24 is divided by; flow_grpo takes 26, the release 1.',
    },
  },
});

export const hpsV2Config = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['model'],
  properties: checkpoint,
});

export type ClipScoreOptions = ReturnType<typeof clipScoreConfig.parse>;
export type SiglipOptions = ReturnType<typeof siglipConfig.parse>;
export type PickScoreOptions = ReturnType<typeof pickScoreConfig.parse>;
export type HpsV2Options = ReturnType<typeof hpsV2Config.parse>;
type Deps = Pick<RewardDeps, 'runtime'>;

/** Each rejects with what `openEncoder` rejects with, or GVU_REWARD_RUNTIME without a runtime. */
export async function clipScore(options: ClipScoreOptions, deps: Deps): Promise<Reward> {
  const { form, prefix = form === 'clip-score' ? 'A photo depicts ' : '' } = options;
  const encoder = await open('clip-score', options, { deps, fitting: 'crop-torchvision', family: 'clip' });
  const { scale } = encoder;
  const value = {
    'clip-score': (cosine: number) => 2.5 * Math.max(cosine, 0),
    cosine: (cosine: number) => cosine,
    logit: (cosine: number) => (scale * cosine) / 30,
  }[form];
  return similarity(encoder, {
    name: 'clip-score',
    facts: { form, prefix },
    range: form === 'clip-score' ? [0, 2.5] : spanOf(value),
    // As the release does it: a space is put between the two.
    text: (prompt) => (prefix === '' || prefix.endsWith(' ') ? prefix + prompt : `${prefix} ${prompt}`),
    value,
  });
}

export async function siglip(options: SiglipOptions, deps: Deps): Promise<Reward> {
  const encoder = await open('siglip', options, { deps, fitting: 'squeeze', family: 'siglip' });
  const { scale, bias } = encoder;
  const { form } = options;
  const logit = (cosine: number) => scale * cosine + bias;
  const value = form === 'logit' ? logit : (cosine: number) => 1 / (1 + Math.exp(-logit(cosine)));
  return similarity(encoder, {
    name: 'siglip',
    facts: { form },
    range: form === 'logit' ? spanOf(value) : [0, 1],
    value,
  });
}

export async function pickScore(options: PickScoreOptions, deps: Deps): Promise<Reward> {
  const encoder = await open('pick-score', options, { deps, fitting: 'crop-transformers', family: 'clip' });
  const { divisor } = options;
  const value = (cosine: number) => (encoder.scale * cosine) / divisor;
  return similarity(encoder, { name: 'pick-score', facts: { divisor }, range: spanOf(value), value });
}

export async function hpsV2(options: HpsV2Options, deps: Deps): Promise<Reward> {
  const encoder = await open('hps-v2', options, { deps, fitting: 'fit', family: 'clip' });
  return similarity(encoder, { name: 'hps-v2', facts: {}, range: [-1, 1], value: (cosine) => cosine });
}

/** Where a value lies for cosines from -1 to 1. */
function spanOf(value: (cosine: number) => number): readonly [number, number] {
  return [value(-1), value(1)];
}

interface Similarity {
  readonly name: string;
  /** What the numbers depend on besides the weights. */
  readonly facts: Readonly<Record<string, string | number>>;
  readonly range: Reward['range'];
  readonly text?: (prompt: string) => string;
  readonly value: (cosine: number) => number;
}

function similarity(encoder: Encoder, { name, facts, range, text = (prompt) => prompt, value }: Similarity): Reward {
  const stated = Object.entries(facts).map(([key, fact]) => `${key}=${JSON.stringify(fact)}`);
  return {
    name,
    version: ['1', `weights=${encoder.version}`, ...stated].join(' '),
    inputs: ['pixels'],
    range,
    deterministic: true,
    async score(rollouts, { signal }) {
      const pictures = rollouts.map((rollout, row) => rolloutInput(rollout, 'pixels', { reward: name, row }));
      const prompts = [...new Set(rollouts.map(({ prompt }) => prompt))];
      const read = await encoder.texts(prompts.map(text), { signal });
      const embeddings = new Map(prompts.map((prompt, i) => [prompt, read[i]]));
      const seen = await encoder.images(pictures, { signal });
      const cosines = rollouts.map(({ prompt }, row) => cosineOf(seen[row], embeddings.get(prompt)));
      return { values: cosines.map(value), trace: cosines.map((cosine) => ({ cosine })) };
    },
  };
}

/** Of embeddings of length 1. Rounding must not leave the range. */
function cosineOf(a: Float32Array | undefined, b: Float32Array | undefined): number {
  if (!a || !b) throw new RangeError('unreachable: each picture and each prompt has an embedding');
  const product = a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
  return Math.min(1, Math.max(-1, product));
}

async function open(
  reward: string,
  { model, weights }: { model: string; weights?: string },
  { deps, fitting, family }: { deps: Deps; fitting: Fitting; family: 'clip' | 'siglip' },
): Promise<Encoder> {
  const encoder = await openEncoder(model, { runtime: requireRuntime(deps, reward), fitting, weights });
  if (encoder.config.family === family) return encoder;
  throw rewardErrors.error(
    'GVU_REWARD_MODEL',
    `The reward '${reward}' works with ${family}, but '${model}' is ${encoder.config.family}.`,
    {
      hint: 'Name a checkpoint of the right kind, or take the other reward.',
    },
  );
}

/** Throws GVU_REWARD_RUNTIME. */
export function requireRuntime({ runtime }: Deps, reward: string): Runtime {
  if (runtime) return runtime;
  throw rewardErrors.error(
    'GVU_REWARD_RUNTIME',
    `The reward '${reward}' runs a network of its own, and was given no runtime.`,
    {
      hint: 'Whoever makes rewards passes `runtime` among their dependencies, as the trainer does.',
    },
  );
}
