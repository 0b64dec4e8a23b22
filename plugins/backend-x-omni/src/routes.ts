/**
 * X-Omni's way through its decoder: tables, norms and heads of its own for image tokens, and layers at both ends that change those
 * alone. Source: modeling_xomni.py of the released checkpoint's remote code, read there; the words here are our own.
 */
import { decoderModules, decoderParameters, type TokenRoutes } from '@gvu/models';
import { type FlatEntry, type LoraModule, slice } from '@gvu/onnx';
import type { XOmniConfig } from './config.ts';

export const prefix = 'model.';

export function xOmniRoutes({ decoder, adapterLayers, headLayers, imageRows, imageTokens }: XOmniConfig): TokenRoutes {
  return {
    text: {
      vocabulary: decoder.vocabulary,
      embedding: 'model.lm_embed_tokens',
      norm: 'model.lm_norm',
      head: 'lm_head',
    },
    image: {
      firstId: decoder.vocabulary,
      rows: imageRows,
      tokens: imageTokens,
      embed: ({ embedding }, tokens) =>
        embedding('model.mm_embed_tokens', tokens, { rows: imageRows, width: decoder.width }),
      norm: 'model.mm_norm',
      // The head has a column for every row of the table; control tokens are never drawn.
      logits: ({ linear }, normal) => slice(linear('mm_head', normal, { out: imageRows }), 1, { end: imageTokens }),
    },
    isImageLayer: (layer) => layer < adapterLayers || layer >= decoder.layers - headLayers,
  };
}

/** The modules that can carry an adapter, in the order of the model. */
export function xOmniModules({ decoder, imageRows }: XOmniConfig): readonly LoraModule[] {
  const { width, vocabulary } = decoder;
  const layers = decoderModules(decoder, prefix).filter(({ name }) => name.startsWith('model.layers.'));
  return [
    { name: 'model.lm_embed_tokens', kind: 'embedding', in: vocabulary, out: width },
    { name: 'model.mm_embed_tokens', kind: 'embedding', in: imageRows, out: width },
    ...layers.map(({ name, kind, in: from, out }) => ({ name, kind, in: from, out })),
    { name: 'lm_head', kind: 'linear', in: width, out: vocabulary },
    { name: 'mm_head', kind: 'linear', in: width, out: imageRows },
  ];
}

/** Every tensor of the autoregressive half. */
export function xOmniParameters({ decoder, imageRows }: XOmniConfig): readonly FlatEntry[] {
  const { width, vocabulary } = decoder;
  return [
    { name: 'model.lm_embed_tokens.weight', shape: [vocabulary, width] },
    { name: 'model.mm_embed_tokens.weight', shape: [imageRows, width] },
    ...decoderParameters(decoder, prefix).filter(({ name }) => name.startsWith('model.layers.')),
    { name: 'model.lm_norm.weight', shape: [width] },
    { name: 'model.mm_norm.weight', shape: [width] },
    { name: 'lm_head.weight', shape: [vocabulary, width] },
    { name: 'mm_head.weight', shape: [imageRows, width] },
  ];
}
