/**
 * What a checkpoint of an image-text model says of itself: `config.json` of transformers (CLIP, SigLIP), or `open_clip_config.json` of
 * open_clip. Sizes that a file leaves out are those that its library would take.
 *
 * Sources: configuration_clip.py and configuration_siglip.py of transformers 5.18, model.py of open_clip 3.3.
 */
import { defineConfig, isRecord } from '@gvu/core';
import { modelErrors } from '@gvu/models';

export type Activation = 'quick_gelu' | 'gelu' | 'gelu_pytorch_tanh';

/** A stack of pre-norm blocks. */
export interface StackConfig {
  readonly width: number;
  readonly blocks: number;
  readonly heads: number;
  readonly feedForward: number;
  readonly epsilon: number;
  readonly activation: Activation;
}

export interface EncoderConfig {
  readonly family: 'clip' | 'siglip';
  readonly text: StackConfig & {
    readonly vocabulary: number;
    /** Tokens of every text, the end included. */
    readonly length: number;
  };
  readonly vision: StackConfig & {
    /** Pixels of a side. */
    readonly side: number;
    readonly patch: number;
  };
  /** Numbers of an embedding. */
  readonly width: number;
}

const size = (value: number) => ({ type: 'integer', minimum: 1, default: value }) as const;
const activation = (value: Activation) =>
  ({ enum: ['quick_gelu', 'gelu', 'gelu_pytorch_tanh'], default: value }) as const;
const epsilon = (value: number) => ({ type: 'number', exclusiveMinimum: 0, default: value }) as const;

const clipFile = defineConfig({
  type: 'object',
  properties: {
    projection_dim: size(512),
    text_config: {
      type: 'object',
      default: {},
      properties: {
        vocab_size: size(49_408),
        hidden_size: size(512),
        intermediate_size: size(2048),
        num_hidden_layers: size(12),
        num_attention_heads: size(8),
        max_position_embeddings: { ...size(77), minimum: 3 },
        hidden_act: activation('quick_gelu'),
        layer_norm_eps: epsilon(1e-5),
      },
    },
    vision_config: {
      type: 'object',
      default: {},
      properties: {
        hidden_size: size(768),
        intermediate_size: size(3072),
        num_hidden_layers: size(12),
        num_attention_heads: size(12),
        image_size: size(224),
        patch_size: size(32),
        hidden_act: activation('quick_gelu'),
        layer_norm_eps: epsilon(1e-5),
      },
    },
  },
});

const siglipFile = defineConfig({
  type: 'object',
  properties: {
    text_config: {
      type: 'object',
      default: {},
      properties: {
        vocab_size: size(32_000),
        hidden_size: size(768),
        intermediate_size: size(3072),
        num_hidden_layers: size(12),
        num_attention_heads: size(12),
        max_position_embeddings: { ...size(64), minimum: 2 },
        projection_size: { type: 'integer', minimum: 1 },
        hidden_act: activation('gelu_pytorch_tanh'),
        layer_norm_eps: epsilon(1e-6),
      },
    },
    vision_config: {
      type: 'object',
      default: {},
      properties: {
        hidden_size: size(768),
        intermediate_size: size(3072),
        num_hidden_layers: size(12),
        num_attention_heads: size(12),
        image_size: size(224),
        patch_size: size(16),
        hidden_act: activation('gelu_pytorch_tanh'),
        layer_norm_eps: epsilon(1e-6),
      },
    },
  },
});

const openClipFile = defineConfig({
  type: 'object',
  required: ['model_cfg'],
  properties: {
    model_cfg: {
      type: 'object',
      required: ['embed_dim', 'vision_cfg', 'text_cfg'],
      properties: {
        embed_dim: size(512),
        quick_gelu: { type: 'boolean', default: false },
        vision_cfg: {
          type: 'object',
          required: ['image_size', 'layers', 'width', 'patch_size'],
          properties: {
            image_size: size(224),
            layers: size(12),
            width: size(768),
            head_width: size(64),
            patch_size: size(16),
            mlp_ratio: { type: 'number', exclusiveMinimum: 0, default: 4 },
            timm_model_name: false,
          },
        },
        text_cfg: {
          type: 'object',
          required: ['width', 'heads', 'layers'],
          properties: {
            context_length: { ...size(77), minimum: 3 },
            vocab_size: size(49_408),
            width: size(512),
            heads: size(8),
            layers: size(12),
            mlp_ratio: { type: 'number', exclusiveMinimum: 0, default: 4 },
            hf_model_name: false,
          },
        },
      },
    },
  },
});

/** Of `config.json`. Throws GVU_CONFIG_INVALID, or GVU_MODEL_CONFIG for another kind of model. */
export function encoderConfig(json: Readonly<Record<string, unknown>>, source: string): EncoderConfig {
  const type = json.model_type;
  if (type === 'clip') return clipConfig(json, source);
  if (type === 'siglip') return siglipConfig(json, source);
  throw modelErrors.error(
    'GVU_MODEL_CONFIG',
    `${source} says "model_type": ${JSON.stringify(type)}, not "clip" or "siglip".`,
    {
      hint: 'Name the directory of an image-text model of one of these kinds.',
    },
  );
}

function clipConfig(json: Readonly<Record<string, unknown>>, source: string): EncoderConfig {
  const { text_config: text, vision_config: vision, projection_dim } = clipFile.parse(json, { source });
  const config: EncoderConfig = {
    family: 'clip',
    text: { ...stackOf(text), vocabulary: text.vocab_size, length: text.max_position_embeddings },
    vision: { ...stackOf(vision), side: vision.image_size, patch: vision.patch_size },
    width: projection_dim,
  };
  return consistent(config, source);
}

function siglipConfig(json: Readonly<Record<string, unknown>>, source: string): EncoderConfig {
  const { text_config: text, vision_config: vision } = siglipFile.parse(json, { source });
  const config: EncoderConfig = {
    family: 'siglip',
    text: { ...stackOf(text), vocabulary: text.vocab_size, length: text.max_position_embeddings },
    vision: { ...stackOf(vision), side: vision.image_size, patch: vision.patch_size },
    width: text.projection_size ?? text.hidden_size,
  };
  return consistent(config, source);
}

/** Of `open_clip_config.json`. Throws GVU_CONFIG_INVALID, GVU_MODEL_CONFIG. */
export function openClipConfig(json: Readonly<Record<string, unknown>>, source: string): EncoderConfig {
  const { embed_dim, quick_gelu, vision_cfg: vision, text_cfg: text } = openClipFile.parse(json, { source }).model_cfg;
  const shared = { epsilon: 1e-5, activation: quick_gelu ? 'quick_gelu' : 'gelu' } as const;
  const config: EncoderConfig = {
    family: 'clip',
    text: {
      ...shared,
      width: text.width,
      blocks: text.layers,
      heads: text.heads,
      feedForward: Math.trunc(text.width * text.mlp_ratio),
      vocabulary: text.vocab_size,
      length: text.context_length,
    },
    vision: {
      ...shared,
      width: vision.width,
      blocks: vision.layers,
      heads: Math.floor(vision.width / vision.head_width),
      feedForward: Math.trunc(vision.width * vision.mlp_ratio),
      side: vision.image_size,
      patch: vision.patch_size,
    },
    width: embed_dim,
  };
  return consistent(config, source);
}

interface TransformersStack {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly layer_norm_eps: number;
  readonly hidden_act: Activation;
}

function stackOf(file: TransformersStack): StackConfig {
  return {
    width: file.hidden_size,
    blocks: file.num_hidden_layers,
    heads: file.num_attention_heads,
    feedForward: file.intermediate_size,
    epsilon: file.layer_norm_eps,
    activation: file.hidden_act,
  };
}

function consistent(config: EncoderConfig, source: string): EncoderConfig {
  const problems = [
    ...(['text', 'vision'] as const).flatMap((tower) => {
      const { width, heads } = config[tower];
      return heads >= 1 && width % heads === 0 ? [] : [`${tower}: ${width} numbers do not fall into ${heads} heads`];
    }),
    ...(config.vision.side >= config.vision.patch ? [] : ['vision: a patch is larger than the picture']),
    ...(config.family === 'siglip' && config.vision.width !== config.width
      ? [`embeddings of ${config.vision.width} and ${config.width} numbers cannot be compared`]
      : []),
  ];
  if (problems.length === 0) return config;
  throw modelErrors.error('GVU_MODEL_CONFIG', `${source} cannot be used: ${problems.join('; ')}.`, {
    hint: 'Get the file again, of the same release as the weights.',
    details: { problems },
  });
}

const preprocessingFile = defineConfig({
  type: 'object',
  properties: {
    size: {
      anyOf: [
        { type: 'integer', minimum: 1 },
        {
          type: 'object',
          properties: {
            shortest_edge: { type: 'integer', minimum: 1 },
            height: { type: 'integer', minimum: 1 },
            width: { type: 'integer', minimum: 1 },
          },
        },
      ],
    },
    crop_size: {
      anyOf: [
        { type: 'integer', minimum: 1 },
        {
          type: 'object',
          properties: { height: { type: 'integer', minimum: 1 }, width: { type: 'integer', minimum: 1 } },
        },
      ],
    },
    resample: { const: 3, default: 3 },
    do_resize: { const: true, default: true },
    do_center_crop: { type: ['boolean', 'null'] },
    do_rescale: { const: true, default: true },
    rescale_factor: { type: 'number', exclusiveMinimum: 0, default: 1 / 255 },
    do_normalize: { const: true, default: true },
    image_mean: { type: 'array', items: { type: 'number' }, minItems: 3, maxItems: 3 },
    image_std: { type: 'array', items: { type: 'number', exclusiveMinimum: 0 }, minItems: 3, maxItems: 3 },
  },
});

/** Numbers that pictures are brought to before a tower, by channel. */
export interface Normalisation {
  /** Multiplies the bytes. */
  readonly scale: number;
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** The mean and deviation that OpenAI's CLIP was trained with, and most of its kin. */
export const clipNormalisation: Normalisation = {
  scale: 1 / 255,
  mean: [0.48145466, 0.4578275, 0.40821073],
  deviation: [0.26862954, 0.26130258, 0.27577711],
};

const half: Normalisation = { scale: 1 / 255, mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] };

/**
 * The normalisation of `preprocessor_config.json`; without the file, that of the family. Throws GVU_CONFIG_INVALID, or GVU_MODEL_CONFIG for
 * a file that brings pictures to another size than the tower takes, or does not crop or squeeze them as its family does.
 */
export function normalisationOf(json: unknown, { family, vision }: EncoderConfig): Normalisation {
  const own = family === 'clip' ? clipNormalisation : half;
  if (json === undefined) return own;
  const source = 'preprocessor_config.json';
  const file = preprocessingFile.parse(json, { source });
  const sides = (value: unknown): readonly unknown[] =>
    isRecord(value)
      ? [value.shortest_edge, value.height, value.width].filter((side) => side !== undefined)
      : [value ?? vision.side];
  const found = [...sides(file.size), ...(family === 'clip' ? sides(file.crop_size) : [])];
  const squeezes = isRecord(file.size) && file.size.height !== undefined;
  const problems = [
    ...(found.every((side) => side === vision.side)
      ? []
      : [`its sizes are ${found.join(', ')}, the tower's is ${vision.side}`]),
    ...(family === 'clip' && (squeezes || file.do_center_crop === false) ? ['CLIP crops pictures to a square'] : []),
    ...(family === 'siglip' && file.do_center_crop === true ? ['SigLIP does not crop'] : []),
  ];
  if (problems.length > 0)
    throw modelErrors.error('GVU_MODEL_CONFIG', `${source} cannot be used: ${problems.join('; ')}.`, {
      hint: 'Get the file again, of the same release as the weights.',
      details: { problems },
    });
  return {
    scale: file.rescale_factor,
    mean: file.image_mean ?? own.mean,
    deviation: file.image_std ?? own.deviation,
  };
}
