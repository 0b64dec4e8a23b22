/**
 * Janus's way through its decoder: words by the Llama's own embedding and head; drawn tokens by a table, an aligner and a head of
 * their own. All layers and the final norm are shared. In sequences, drawn tokens have ids behind the last word.
 */
import { decoderModules, type TokenRoutes } from '@gvu/models';
import type { LoraModule } from '@gvu/onnx';
import type { JanusConfig } from './checkpoint/config.ts';
import { decoderPrefix } from './model/names.ts';
import { embedImageTokens, generationModules, imageLogits } from './model/projectors.ts';

export function janusRoutes(config: JanusConfig): TokenRoutes {
  const { decoder, vq } = config;
  const norm = `${decoderPrefix}norm`;
  return {
    text: {
      vocabulary: decoder.vocabulary,
      embedding: `${decoderPrefix}embed_tokens`,
      norm,
      ...(!decoder.tiedHead && { head: 'lm_head' }),
    },
    image: {
      firstId: decoder.vocabulary,
      rows: vq.codes,
      tokens: vq.codes,
      embed: (modules, tokens) => embedImageTokens(modules, config, tokens),
      norm,
      logits: (modules, normal) => imageLogits(modules, config, normal),
    },
  };
}

/** The modules that can carry an adapter: the language model's, and those of drawing. */
export function janusModules(config: JanusConfig): readonly LoraModule[] {
  const words = decoderModules(config.decoder, decoderPrefix);
  return [
    ...words.map(({ name, kind, in: from, out }) => ({ name, kind, in: from, out })),
    ...generationModules(config),
  ];
}

/** The linear layers of the language model's blocks. */
export const defaultTargets = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
