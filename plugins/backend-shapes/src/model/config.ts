/**
 * The sizes of a shapes model, as its config.json has them, and the names and shapes of all its tensors.
 *
 * Three networks in one file of weights: a tokenizer (pixels to codes), a backbone (a Llama over words and codes) and a flow
 * head (codes to pixels). What belongs to the world, the words and the geometry of images, follows from the world's options.
 */
import { defineConfig } from '@gvu/core';
import { type DecoderConfig, decoderConfig, decoderModules, decoderParameters } from '@gvu/models';
import type { FlatEntry, LoraModule } from '@gvu/onnx';
import { cellSide, createVocabulary, defineWorld, gridSide, type Vocabulary, type World } from '../world/index.ts';

/** Tokens of an image: one for each cell. */
export const imageTokens = gridSide * gridSide;
/** Values of one patch: the pixels of a cell. */
export const patchSize = 3 * cellSide * cellSide;

export interface TokenizerSizes {
  readonly codes: number;
  /** Of a code and of what the encoder gives. */
  readonly latent: number;
  readonly width: number;
}

export interface FlowSizes {
  readonly width: number;
  readonly blocks: number;
  /** Euler steps from noise to pixels. */
  readonly steps: number;
}

export interface ShapesConfig {
  readonly world: World;
  readonly tokenizer: TokenizerSizes;
  readonly flow: FlowSizes;
  readonly backbone: {
    readonly width: number;
    readonly feedForward: number;
    readonly layers: number;
    readonly heads: number;
  };
}

const size = (value: number, description: string) =>
  ({ type: 'integer', minimum: 1, default: value, description }) as const;

const config = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    world: { type: 'object', default: {}, description: 'Shapes and colours of the world; see its own options.' },
    tokenizer: {
      type: 'object',
      additionalProperties: false,
      default: {},
      properties: {
        codes: size(96, 'Codes of the codebook.'),
        latent: size(16, 'Numbers in a code.'),
        width: size(256, 'Hidden units of the encoder.'),
      },
    },
    flow: {
      type: 'object',
      additionalProperties: false,
      default: {},
      properties: {
        width: size(384, 'Hidden units of the flow head.'),
        blocks: size(2, 'Residual blocks of the flow head.'),
        steps: size(6, 'Euler steps from noise to pixels.'),
      },
    },
    backbone: {
      type: 'object',
      additionalProperties: false,
      default: {},
      properties: {
        width: size(128, 'Hidden units of the backbone.'),
        feedForward: size(352, 'Hidden units of its feed-forward layers.'),
        layers: size(4, 'Layers.'),
        heads: size(4, 'Heads of attention.'),
      },
    },
  },
});

/** Fills in what is left out. Throws GVU_CONFIG_INVALID with every problem. */
export function shapesConfig(json: unknown = {}): ShapesConfig {
  const { world, ...sizes } = config.parse(json, { source: 'The configuration of the shapes model' });
  return { world: defineWorld(world), ...sizes };
}

/** The ids of the backbone's tokens: the words of the world, then the begin of an image, then the codes. */
export interface TokenIds {
  readonly words: Vocabulary;
  /** Ids below are words. */
  readonly text: number;
  readonly beginImage: number;
  /** The id of code 0. */
  readonly firstCode: number;
  readonly size: number;
}

/** Each world's, since every program asks and the whole grammar goes into making one. */
const vocabularies = new WeakMap<World, Vocabulary>();

export function tokenIds({ world, tokenizer }: ShapesConfig): TokenIds {
  const words = vocabularies.get(world) ?? createVocabulary(world);
  vocabularies.set(world, words);
  return {
    words,
    text: words.size,
    beginImage: words.size,
    firstCode: words.size + 1,
    size: words.size + 1 + tokenizer.codes,
  };
}

/** The decoder inside the backbone. */
export function backboneDecoder({ backbone, ...rest }: ShapesConfig): DecoderConfig {
  return decoderConfig({
    model_type: 'llama',
    vocab_size: tokenIds({ backbone, ...rest }).size,
    hidden_size: backbone.width,
    intermediate_size: backbone.feedForward,
    num_hidden_layers: backbone.layers,
    num_attention_heads: backbone.heads,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
  });
}

/** The backbone's modules that can carry an adapter. */
export function backboneModules(settings: ShapesConfig): readonly LoraModule[] {
  return decoderModules(backboneDecoder(settings));
}

/** Every tensor of the encoder. */
export function encoderParameters({ width, latent }: TokenizerSizes): readonly FlatEntry[] {
  return [
    ...linear('tokenizer.encoder.0', patchSize, width),
    ...linear('tokenizer.encoder.1', width, width),
    ...linear('tokenizer.encoder.2', width, latent),
  ];
}

export function codebookParameters({ codes, latent }: TokenizerSizes): readonly FlatEntry[] {
  return [{ name: 'tokenizer.codebook.weight', shape: [codes, latent] }];
}

/** Frequencies at which the flow head sees the time. */
export const timeFrequencies = 8;

export function flowParameters(
  { width, blocks }: Omit<FlowSizes, 'steps'>,
  { latent }: Pick<TokenizerSizes, 'latent'>,
): readonly FlatEntry[] {
  return [
    ...linear('flow.input', patchSize + 9 * latent + 2 * timeFrequencies, width),
    ...Array.from({ length: blocks }, (_, i) => [
      { name: `flow.blocks.${i}.norm.weight`, shape: [width] },
      ...linear(`flow.blocks.${i}.up`, width, width),
      ...linear(`flow.blocks.${i}.down`, width, width),
    ]).flat(),
    { name: 'flow.norm.weight', shape: [width] },
    ...linear('flow.output', width, patchSize),
  ];
}

/** The decoder's tensors, and the rows and columns of image tokens. */
export function backboneParameters(settings: ShapesConfig): readonly FlatEntry[] {
  const { width } = settings.backbone;
  return [
    ...decoderParameters(backboneDecoder(settings)),
    { name: 'model.image_rows.weight', shape: [gridSide, width] },
    { name: 'model.image_columns.weight', shape: [gridSide, width] },
  ];
}

/** Every tensor of a model. */
export function modelParameters(settings: ShapesConfig): readonly FlatEntry[] {
  const { tokenizer, flow } = settings;
  return [
    ...encoderParameters(tokenizer),
    ...codebookParameters(tokenizer),
    ...flowParameters(flow, tokenizer),
    ...backboneParameters(settings),
  ];
}

function linear(name: string, from: number, to: number): readonly FlatEntry[] {
  return [
    { name: `${name}.weight`, shape: [to, from] },
    { name: `${name}.bias`, shape: [to] },
  ];
}
