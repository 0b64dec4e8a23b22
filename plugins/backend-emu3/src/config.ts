/**
 * What config.json of a checkpoint in the layout of transformers (`Emu3Config`) says: a Llama decoder, and the codebook of the image
 * tokenizer. Source: configuration_emu3.py of transformers 5.18.
 */
import { defineConfig } from '@gvu/core';
import { type DecoderConfig, decoderConfig } from '@gvu/models';

export interface Emu3Config {
  readonly decoder: DecoderConfig;
  /** Codes of the image tokenizer: the image tokens that can be drawn. */
  readonly codes: number;
  /** Numbers in a code. */
  readonly codeWidth: number;
  readonly maxTokens: number;
}

const size = (value: number) => ({ type: 'integer', minimum: 1, default: value }) as const;

const schema = defineConfig({
  type: 'object',
  required: ['model_type', 'text_config'],
  properties: {
    model_type: { const: 'emu3' },
    text_config: { type: 'object', properties: { max_position_embeddings: size(9216) } },
    vq_config: {
      type: 'object',
      default: {},
      properties: { codebook_size: size(32_768), embed_dim: size(4) },
    },
  },
});

/** Throws GVU_CONFIG_INVALID, and GVU_MODEL_CONFIG with every problem of the decoder. */
export function emu3Config(json: unknown): Emu3Config {
  const { text_config: text, vq_config: vq } = schema.parse(json, { source: 'config.json' });
  return {
    decoder: decoderConfig({ ...text, model_type: 'llama' }),
    codes: vq.codebook_size,
    codeWidth: vq.embed_dim,
    maxTokens: text.max_position_embeddings,
  };
}
