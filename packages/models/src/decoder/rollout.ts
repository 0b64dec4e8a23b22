/**
 * What is done with a text decoder as a whole: logits of sequences, and generation against growing caches. Prompts are padded
 * on the left (or not at all), so that every row decodes at the same index.
 */
import {
  add,
  type Carried,
  cast,
  causalMask,
  concat,
  full,
  type Generated,
  type Guidance,
  generate,
  paddingMask,
  reshape,
  type SamplerOptions,
  slice,
  type Tensor,
} from '@gvu/onnx';
import { type Decoder, decodeBlocks, embedTokens, headLogits, prefillBlocks, runBlocks } from './decoder.ts';

/** Token ids [B, T], the position of each (int64 [B, T]), and which are real: 1 or 0 [B, T]. */
export interface TokenBatch {
  readonly ids: Tensor;
  readonly positions: Tensor;
  readonly real?: Tensor | undefined;
}

/** Additive mask [B or 1, 1, T, T]: causal, and hiding padding. */
function maskOf({ dtype, modules }: Decoder, { ids, real }: TokenBatch): Tensor {
  const causal = causalMask(modules.graph, dtype, ids.shape[1] ?? 0);
  return real ? add(causal, paddingMask(real, dtype)) : causal;
}

/** Logits [B * T, vocabulary] of whole sequences. */
export function sequenceLogits(decoder: Decoder, batch: TokenBatch): Tensor {
  const layers = runBlocks(decoder, {
    hidden: embedTokens(decoder, batch.ids),
    positions: batch.positions,
    mask: maskOf(decoder, batch),
  });
  return headLogits(decoder, layers.at(-1) ?? embedTokens(decoder, batch.ids));
}

export interface RolloutOptions {
  readonly steps: number;
  readonly sampler: SamplerOptions;
  readonly guidance?: Guidance | undefined;
  /** Uniform numbers in [0, 1): [steps, B, 1] float32; B is half the prompts with guidance. */
  readonly uniform: Tensor;
}

/** Continues prompts [R, T] by sampling. With guidance the first half of the rows is conditional, the second not. */
export function rollout(decoder: Decoder, prompt: TokenBatch, options: RolloutOptions): Generated {
  const { graph } = decoder.modules;
  const [rows = 0, length = 0] = prompt.ids.shape;
  // Sampled in float32 whatever the decoder computes in.
  const logits = (hidden: Tensor) => cast(headLogits(decoder, hidden), 'float32');
  const last = (hidden: Tensor) => {
    const width = hidden.shape[1] ?? 0;
    return reshape(slice(reshape(hidden, [rows, length, width]), 1, { start: -1 }), [rows, width]);
  };
  const start = prefillBlocks(decoder, {
    hidden: embedTokens(decoder, prompt.ids),
    positions: prompt.positions,
    mask: maskOf(decoder, prompt),
  });
  const next = slice(prompt.positions, 1, { start: -1 }); // position of the last token [R, 1]
  const padding: Carried[] = prompt.real ? [{ initial: paddingMask(prompt.real, decoder.dtype), grows: 3 }] : [];
  return generate(graph, {
    ...options,
    prefill: {
      logits: logits(last(start.hidden)),
      carried: [{ initial: next }, ...start.caches.map((initial) => ({ initial, grows: 2 })), ...padding],
    },
    decode: (token, _iteration, [position = next, ...state]) => {
      const caches = state.slice(0, start.caches.length);
      const here = add(position, 1);
      const seen = state[start.caches.length];
      const mask = seen && concat([seen, full(graph, { dtype: seen.dtype, shape: [rows, 1, 1, 1] }, 0)], 3);
      const decoded = decodeBlocks(decoder, { hidden: embedTokens(decoder, token), positions: here, caches, mask });
      return {
        logits: logits(decoded.hidden),
        carried: [here, ...decoded.caches, ...(mask ? [mask] : [])],
      };
    },
  });
}
