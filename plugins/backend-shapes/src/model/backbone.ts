/**
 * The backbone: one Llama over words and image codes, which draws (prompt to codes) and reads (codes to text).
 *
 * Drawing:  <bos> prompt <boi> 16 codes               prompts are padded on the left, so that all rows draw at one index
 * Reading:  <bos> <boi> 16 codes instruction answer <eos>     several texts may share an image; none sees the others
 * Answering: the same, with padding between the image and the question, so that all rows answer at one index
 *
 * Codes have learned embeddings of their row and column besides their rotary positions. While drawing only codes can
 * come, while reading only words: the logits of the others are left out, of the loss too.
 */
import {
  createDecoder,
  type Decoder,
  decodeBlocks,
  headLogits,
  type Modules,
  prefillBlocks,
  runBlocks,
} from '@gvu/models';
import {
  add,
  causalMask,
  concat,
  equal,
  exactSampler,
  expand,
  full,
  type Generated,
  gather,
  generate,
  greaterOrEqual,
  or,
  pad,
  paddingMask,
  reshape,
  type SamplerOptions,
  slice,
  type Tensor,
  unsqueeze,
  where,
} from '@gvu/onnx';
import { gridSide } from '../world/index.ts';
import { backboneDecoder, imageTokens, type ShapesConfig, type TokenIds, tokenIds } from './config.ts';
import { readingImageAt } from './sequences.ts';

export interface Backbone {
  readonly decoder: Decoder;
  readonly ids: TokenIds;
}

/** `positions` is the length of the longest sequence. */
export function createBackbone(
  modules: Modules,
  config: ShapesConfig,
  options: { positions: number; checkpointing?: boolean },
): Backbone {
  return { decoder: createDecoder(modules, backboneDecoder(config), options), ids: tokenIds(config) };
}

/** Token ids [B, T], the position of each (int64 [B, T]), and which are real, 1 or 0 [B, T]. */
export interface Sequences {
  readonly ids: Tensor;
  readonly positions: Tensor;
  readonly real: Tensor;
}

/** What the codes' places add to their embeddings: [16, width]. */
function placeTable({ decoder: { modules, config } }: Backbone): Tensor {
  const { width } = config;
  const rows = reshape(modules.weight('model.image_rows.weight', [gridSide, width]), [gridSide, 1, width]);
  const columns = reshape(modules.weight('model.image_columns.weight', [gridSide, width]), [1, gridSide, width]);
  return reshape(add(rows, columns), [imageTokens, width]);
}

/** Hidden states [B, T, width] of ids [B, T] that have their codes from index `imageAt` on, as far as they go. */
export function embedSequences(backbone: Backbone, ids: Tensor, { imageAt }: { imageAt: number }): Tensor {
  const [rows = 0, length = 0] = ids.shape;
  const { width } = backbone.decoder.config;
  const words = reshape(embed(backbone, ids), [rows, length, width]);
  const present = Math.min(Math.max(length - imageAt, 0), imageTokens);
  const places = slice(placeTable(backbone), 0, { end: present });
  return add(
    words,
    pad(places, [
      [imageAt, length - imageAt - present],
      [0, 0],
    ]),
  );
}

function embed({ decoder: { modules, config } }: Backbone, ids: Tensor): Tensor {
  return modules.embedding('model.embed_tokens', ids, { rows: config.vocabulary, width: config.width });
}

/** Hidden states [B, T, width] after all blocks, of embedded sequences [B, T, width]; `mask` is additive [B, 1, T, T]. */
export function runSequences(
  { decoder }: Backbone,
  embedded: Tensor,
  { positions, mask }: { positions: Tensor; mask: Tensor },
): Tensor {
  const hidden = reshape(embedded, [-1, decoder.config.width]);
  const layers = runBlocks(decoder, { hidden, positions, mask });
  return reshape(layers.at(-1) ?? hidden, embedded.shape);
}

/** Logits of the codes [.., codes], from hidden states [.., width]. */
export function codeLogits({ decoder, ids }: Backbone, hidden: Tensor): Tensor {
  return slice(lastAxisLogits(decoder, hidden), -1, { start: ids.firstCode });
}

/** Logits of the words [.., words], from hidden states [.., width]. */
export function wordLogits({ decoder, ids }: Backbone, hidden: Tensor): Tensor {
  return slice(lastAxisLogits(decoder, hidden), -1, { end: ids.text });
}

function lastAxisLogits(decoder: Decoder, hidden: Tensor): Tensor {
  const logits = headLogits(decoder, reshape(hidden, [-1, decoder.config.width]));
  return reshape(logits, [...hidden.shape.slice(0, -1), decoder.config.vocabulary]);
}

export interface DrawOptions {
  readonly sampler: SamplerOptions;
  /** Uniform numbers in [0, 1): [16, B, 1] float32. */
  readonly uniform: Tensor;
}

/** Draws the 16 codes of each prompt: sequences [B, T] that end with the begin of an image. Tokens are codes, from 0. */
export function drawCodes(backbone: Backbone, prompts: Sequences, options: DrawOptions): Generated {
  const { decoder, ids } = backbone;
  const [rows = 0] = prompts.ids.shape;
  const { width } = decoder.config;
  const places = placeTable(backbone);
  return continueSequences(
    backbone,
    {
      embedded: embed(backbone, prompts.ids),
      positions: prompts.positions,
      mask: drawingMask(backbone, prompts.real),
      real: prompts.real,
    },
    {
      ...options,
      steps: imageTokens,
      logits: (hidden) => codeLogits(backbone, hidden),
      embed: (code, iteration) => {
        const place = expand(reshape(gather(places, iteration), [1, width]), [rows, width]);
        return add(reshape(embed(backbone, add(code, ids.firstCode)), [rows, width]), place);
      },
    },
  );
}

/** Images and questions to be answered: as `Sequences`, with the segments of `readingMask`; all end at the last index. */
export interface Questions extends Omit<Sequences, 'real'> {
  readonly segments: Tensor;
}

/** The likeliest words after each question: tokens int64 [B, steps], and their log-probabilities. */
export function answerWords(backbone: Backbone, questions: Questions, { steps }: { steps: number }): Generated {
  const { decoder } = backbone;
  const { graph } = decoder.modules;
  const [rows = 0] = questions.ids.shape;
  return continueSequences(
    backbone,
    {
      embedded: embedSequences(backbone, questions.ids, { imageAt: readingImageAt }),
      positions: questions.positions,
      mask: readingMask(backbone, questions.segments),
      real: greaterOrEqual(questions.segments, 0),
    },
    {
      steps,
      sampler: { ...exactSampler, temperature: 0 },
      uniform: full(graph, { dtype: 'float32', shape: [steps, rows, 1] }, 0),
      logits: (hidden) => wordLogits(backbone, hidden),
      embed: (word) => reshape(embed(backbone, word), [rows, decoder.config.width]),
    },
  );
}

/** Embedded sequences [B, T, width] that all end at the last index. */
interface Begun {
  readonly embedded: Tensor;
  readonly positions: Tensor;
  /** Additive [B, 1, T, T]. */
  readonly mask: Tensor;
  /** [B, T]: what the tokens that are generated see. */
  readonly real: Tensor;
}

interface Continuation extends DrawOptions {
  readonly steps: number;
  /** Logits [B, V] of hidden states [B, width]. */
  readonly logits: (hidden: Tensor) => Tensor;
  /** The hidden state [B, width] that a token [B, 1] enters with; `iteration` counts from 0. */
  readonly embed: (token: Tensor, iteration: Tensor) => Tensor;
}

function continueSequences({ decoder }: Backbone, begun: Begun, how: Continuation): Generated {
  const { graph } = decoder.modules;
  const [rows = 0, length = 0] = begun.positions.shape;
  const { width } = decoder.config;
  const start = prefillBlocks(decoder, {
    hidden: reshape(begun.embedded, [rows * length, width]),
    positions: begun.positions,
    mask: begun.mask,
  });
  const last = slice(reshape(start.hidden, [rows, length, width]), 1, { start: -1 });
  const position = slice(begun.positions, 1, { start: -1 }); // [B, 1]
  const seen = paddingMask(begun.real, decoder.dtype);
  return generate(graph, {
    steps: how.steps,
    sampler: how.sampler,
    uniform: how.uniform,
    prefill: {
      logits: how.logits(reshape(last, [rows, width])),
      carried: [
        { initial: position },
        { initial: seen, grows: 3 },
        ...start.caches.map((initial) => ({ initial, grows: 2 })),
      ],
    },
    decode: (token, iteration, [before = position, hiding = seen, ...caches]) => {
      const here = add(before, 1);
      const mask = concat([hiding, full(graph, { dtype: seen.dtype, shape: [rows, 1, 1, 1] }, 0)], 3);
      const hidden = how.embed(token, iteration);
      const decoded = decodeBlocks(decoder, { hidden, positions: here, caches, mask });
      return { logits: how.logits(decoded.hidden), carried: [here, mask, ...decoded.caches] };
    },
  });
}

/** Additive mask [B, 1, T, T] of sequences that draw: causal, hiding what is not `real` [B, T]. */
export function drawingMask({ decoder }: Backbone, real: Tensor): Tensor {
  const { dtype, modules } = decoder;
  return add(causalMask(modules.graph, dtype, real.shape[1] ?? 0), paddingMask(real, dtype));
}

/** Additive mask [B, 1, T, T] of sequences that read: causal, each token seeing segment 0 and its own (`segments` int64 [B, T]). */
export function readingMask({ decoder }: Backbone, segments: Tensor): Tensor {
  const { dtype, modules } = decoder;
  const [own, other] = [unsqueeze(segments, 1, 3), unsqueeze(segments, 1, 2)]; // [B, 1, T, 1] and [B, 1, 1, T]
  const seen = or(equal(other, 0), equal(own, other));
  const causal = causalMask(modules.graph, dtype, segments.shape[1] ?? 0);
  return where(seen, causal, hidden);
}

/** Added to the product with a key that is not to be seen. */
const hidden = -1e30;
