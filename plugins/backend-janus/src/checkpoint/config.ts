/**
 * The sizes of a Janus model, as `config.json` has them in the layout of transformers (`JanusConfig`). What the networks here
 * do not do is refused by name. The layout of DeepSeek's release is brought to this form first: see `original-layout.ts`.
 *
 * Sources: configuration_janus.py of transformers 5.18, whose defaults count where a file leaves a value out.
 */
import { defineConfig } from '@gvu/core';
import { type DecoderConfig, decoderConfig, modelErrors } from '@gvu/models';

export interface VisionConfig {
  readonly width: number;
  readonly feedForward: number;
  readonly layers: number;
  readonly heads: number;
  /** Of the square image, in pixels. */
  readonly imageSide: number;
  readonly patchSide: number;
  readonly epsilon: number;
  /** Biases on q, k and v. */
  readonly qkvBias: boolean;
  /** Linear layers of the aligner. */
  readonly alignerLayers: number;
}

export interface VqConfig {
  readonly codes: number;
  /** Numbers in a code. */
  readonly codeWidth: number;
  /** Channels between the convolutional networks and the quantiser. */
  readonly latent: number;
  readonly baseChannels: number;
  /** Channels of each level as multiples of the base, from the highest resolution down. */
  readonly multipliers: readonly number[];
  readonly resBlocks: number;
  /** Tokens along each side of an image. */
  readonly gridSide: number;
  /** Linear layers between a token's embedding and the decoder. */
  readonly alignerLayers: number;
}

export interface JanusConfig {
  readonly decoder: DecoderConfig;
  readonly vision: VisionConfig;
  readonly vq: VqConfig;
  /** The longest sequence that the language model was made for. */
  readonly maxTokens: number;
}

/** A whole number; the file comes from elsewhere, and what it says must not fill the memory. */
const size = (value: number, maximum = 2 ** 24) => ({ type: 'integer', minimum: 1, maximum, default: value }) as const;

const visionSchema = defineConfig({
  type: 'object',
  properties: {
    hidden_size: size(1024),
    num_hidden_layers: size(24, 1024),
    num_attention_heads: size(16),
    num_channels: { const: 3, default: 3 },
    patch_size: size(16),
    image_size: size(384, 16_384),
    mlp_ratio: { type: 'number', exclusiveMinimum: 0, default: 4 },
    layer_norm_eps: { type: 'number', exclusiveMinimum: 0, default: 1e-6 },
    attention_bias: { type: 'boolean', default: true },
    hidden_act: { const: 'gelu', default: 'gelu' },
    use_qk_norm: { const: false, default: false },
    depth: size(2, 1024),
  },
});

const vqSchema = defineConfig({
  type: 'object',
  properties: {
    embed_dim: size(8),
    num_embeddings: size(16_384),
    latent_channels: size(256),
    base_channels: { ...size(128), multipleOf: 32 },
    channel_multiplier: {
      type: 'array',
      minItems: 1,
      maxItems: 16,
      items: { type: 'integer', minimum: 1, maximum: 1024 },
      default: [1, 1, 2, 2, 4],
    },
    num_res_blocks: size(2, 64),
    num_patches: size(32, 1024),
    num_hidden_layers: size(2, 64),
    in_channels: { const: 3, default: 3 },
    out_channels: { const: 3, default: 3 },
    double_latent: { const: false, default: false },
    hidden_act: { const: 'gelu', default: 'gelu' },
  },
});

const outerSchema = defineConfig({
  type: 'object',
  properties: {
    model_type: { const: 'janus' },
    text_config: {
      type: 'object',
      properties: { max_position_embeddings: size(2048) },
      default: {},
    },
    vision_config: { type: 'object', default: {} },
    vq_config: { type: 'object', default: {} },
  },
  required: ['model_type'],
});

/** What transformers' LlamaConfig fills in: the 7B checkpoint leaves out every size that equals it. */
const llamaDefaults = {
  model_type: 'llama',
  vocab_size: 32_000,
  hidden_size: 4096,
  intermediate_size: 11_008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
};

/**
 * Reads a `config.json` in the layout of transformers. `tiedHead` says whether the head is the embedding table: the file is no
 * witness for that, because `JanusConfig` says it is where nobody said anything, and no released model has it so.
 * Throws GVU_CONFIG_INVALID or GVU_MODEL_CONFIG, with every problem of the part that has any.
 */
export function janusConfig(json: unknown, { tiedHead = false }: { tiedHead?: boolean } = {}): JanusConfig {
  const source = 'config.json';
  const outer = outerSchema.parse(json, { source });
  const decoder = decoderConfig({ ...llamaDefaults, ...outer.text_config, tie_word_embeddings: tiedHead });
  const vision = visionConfig(outer.vision_config);
  return {
    decoder,
    vision,
    // JanusConfig does the same, whatever the file says: the grid is that of the tower's patches.
    vq: vqConfig({ ...outer.vq_config, num_patches: Math.floor(vision.imageSide / vision.patchSide) }),
    maxTokens: outer.text_config.max_position_embeddings,
  };
}

/** Reads a `vision_config`. Throws GVU_CONFIG_INVALID, GVU_MODEL_CONFIG. */
function visionConfig(json: unknown): VisionConfig {
  const found = visionSchema.parse(json, { source: 'vision_config of config.json' });
  const { hidden_size: width, num_attention_heads: heads } = found;
  if (width % heads > 0)
    throw modelErrors.error('GVU_MODEL_CONFIG', `The tower's width ${width} is no multiple of its ${heads} heads.`, {
      hint: 'Check vision_config in config.json of the checkpoint.',
    });
  return {
    width,
    feedForward: Math.trunc(width * found.mlp_ratio),
    layers: found.num_hidden_layers,
    heads,
    imageSide: found.image_size,
    patchSide: found.patch_size,
    epsilon: found.layer_norm_eps,
    qkvBias: found.attention_bias,
    alignerLayers: found.depth,
  };
}

/** Reads a `vq_config`. Throws GVU_CONFIG_INVALID. */
export function vqConfig(json: unknown): VqConfig {
  const found = vqSchema.parse(json, { source: 'vq_config of config.json' });
  return {
    codes: found.num_embeddings,
    codeWidth: found.embed_dim,
    latent: found.latent_channels,
    baseChannels: found.base_channels,
    multipliers: found.channel_multiplier,
    resBlocks: found.num_res_blocks,
    gridSide: found.num_patches,
    alignerLayers: found.num_hidden_layers,
  };
}

/** Pixels along each side of a drawn image: every level but the last halves the resolution. */
export function drawnSide({ gridSide, multipliers }: VqConfig): number {
  return gridSide * 2 ** (multipliers.length - 1);
}

/** Tokens of an image that is read. */
export function visionTokens({ imageSide, patchSide }: VisionConfig): number {
  return Math.floor(imageSide / patchSide) ** 2;
}
