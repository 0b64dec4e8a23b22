/**
 * The programs of an autoregressive model at work: prompts to image tokens, the probability of texts, and answers in words.
 * Sequences are padded on the left (see `sequences.ts`), so that all rows go on at one index.
 */
import {
  add,
  type Carried,
  causalMask,
  compile,
  concat,
  constantData,
  createGraph,
  exactSampler,
  full,
  type Generated,
  type Graph,
  type Guidance,
  gather,
  generate,
  input,
  type LoraOptions,
  less,
  maximum,
  output,
  type Program,
  paddingMask,
  reshape,
  type SamplerOptions,
  slice,
  type Tensor,
  tensorData,
  tokenLogProb,
  where,
} from '@gvu/onnx';
import { decodeBlocks, prefillBlocks, runBlocks } from '../decoder/decoder.ts';
import type { TokenBatch } from '../decoder/rollout.ts';
import { drawingPlaces, type LineEnds } from './line-ends.ts';
import { type AutoregressiveModel, adapterInput, routedDecoder } from './model.ts';
import {
  embedRouted,
  imageLogits,
  imagePlaces,
  layerChanges,
  type RoutedDecoder,
  type ShownFeatures,
  textLogits,
} from './routes.ts';

/** Which tokens are real is always said. */
export type RealBatch = TokenBatch & { readonly real: Tensor };

export interface ProgramOptions {
  /** B */
  readonly rows: number;
  /** T: tokens of a sequence before what is drawn, scored or answered. */
  readonly length: number;
  readonly adapter?: LoraOptions | undefined;
  /** The placeholder of images, and how many places of it the whole batch has; the program gets an input `features`. */
  readonly features?: { readonly placeholder: number; readonly count: number } | undefined;
}

export interface DrawOptions {
  readonly steps: number;
  readonly sampler: SamplerOptions;
  readonly guidance?: Guidance | undefined;
  /** P, prompts that the B drawings share: each is gone through once. B by default. */
  readonly prompts?: number | undefined;
  readonly lineEnds?: LineEnds | undefined;
}

/**
 * Prompts (`ids`, `positions`, `real`: [P, T]) and `uniform` [steps, B, 1] to image `tokens` [B, steps], from 0, and their
 * log-probabilities `policy` and `sampler` [B, steps]. With guidance there are 2P prompts, what stands for none behind the others. With
 * P < B, `promptOf` int64 [B] says which prompt a drawing is of.
 */
export function drawProgram(
  model: AutoregressiveModel,
  options: ProgramOptions,
  { steps, sampler, guidance, prompts: count = options.rows, lineEnds }: DrawOptions,
): Program {
  const { rows, length } = options;
  const places = drawingPlaces(steps, lineEnds);
  const graph = createGraph({ name: 'draw', target: model.target });
  const routed = begin(graph, model, { ...options, positions: length + places.length });
  const prompts = declareSequences(graph, guidance ? 2 * count : count, length);
  const promptOf = count < rows ? input(graph, 'promptOf', { dtype: 'int64', shape: [rows] }) : undefined;
  const uniform = input(graph, 'uniform', { dtype: 'float32', shape: [steps, rows, 1] });
  const { firstId } = model.routes.image;
  const placeTable = constantData(graph, tensorData('int64', [places.length], places));
  const idOf = (token: Tensor, place: Tensor) => {
    const id = add(token, firstId);
    return lineEnds ? where(less(gather(placeTable, place), 0), lineEnds.id, id) : id;
  };
  // At a line end something is drawn too, and thrown away: all turns of a loop do the same.
  const drawn = continued(routed, prompts, {
    steps: places.length,
    sampler,
    guidance,
    uniform: lineEnds ? gather(uniform, maximum(placeTable, 0)) : uniform,
    rowOf: promptOf && guidance ? concat([promptOf, add(promptOf, count)], 0) : promptOf,
    kind: 'image',
    hasWords: lineEnds !== undefined,
    idOf,
  });
  const free = places.flatMap((step, place) => (step < 0 ? [] : [place]));
  const ofTokens = (x: Tensor) =>
    lineEnds ? gather(x, constantData(graph, tensorData('int64', [steps], free)), 1) : x;
  output('tokens', ofTokens(drawn.tokens));
  output('policy', ofTokens(drawn.policyLogProbs));
  output('sampler', ofTokens(drawn.samplerLogProbs));
  return compile(graph);
}

/**
 * Sequences (`ids`, `positions`, `real`: [B, T + textLength - 1]) whose text begins at index T, and the text's tokens `targets` [B,
 * textLength], to `logProbs` [B, textLength] in nats.
 */
export function readProgram(
  model: AutoregressiveModel,
  options: ProgramOptions,
  { textLength }: { textLength: number },
): Program {
  const { rows, length } = options;
  const columns = length + textLength - 1;
  const graph = createGraph({ name: 'read', target: model.target });
  const routed = begin(graph, model, { ...options, positions: columns });
  const batch = declareSequences(graph, rows, columns);
  const targets = input(graph, 'targets', { dtype: 'int64', shape: [rows, textLength] });
  const hidden = lastStates(routed, batch, { count: textLength, features: declareFeatures(graph, model, options) });
  const logits = textLogits(routed, hidden, 'text');
  output('logProbs', reshape(tokenLogProb(logits, reshape(targets, [-1])), [rows, textLength]));
  return compile(graph);
}

/** Questions (`ids`, `positions`, `real`: [B, T]) to the likeliest `tokens` [B, steps], one after the other, and their log-probs as `policy`. */
export function answerProgram(
  model: AutoregressiveModel,
  options: ProgramOptions,
  { steps }: { steps: number },
): Program {
  const { rows, length } = options;
  const graph = createGraph({ name: 'answer', target: model.target });
  const routed = begin(graph, model, { ...options, positions: length + steps });
  const questions = declareSequences(graph, rows, length);
  const { tokens, policyLogProbs } = continued(routed, questions, {
    steps,
    sampler: { ...exactSampler, temperature: 0 },
    uniform: full(graph, { dtype: 'float32', shape: [steps, rows, 1] }, 0),
    kind: 'text',
    idOf: (token) => token,
    features: declareFeatures(graph, model, options),
  });
  output('tokens', tokens);
  output('policy', policyLogProbs);
  return compile(graph);
}

/** Hidden states [B * count, width] of the last `count` columns of whole sequences. */
export function lastStates(
  routed: RoutedDecoder,
  batch: RealBatch,
  { count, features }: { count: number; features?: ShownFeatures | undefined },
): Tensor {
  const { decoder } = routed;
  const [rows = 0, columns = 0] = batch.ids.shape;
  const { width } = decoder.config;
  const hidden = allStates(routed, batch, features).at(-1);
  if (!hidden) throw new RangeError('A decoder has a layer at least.');
  return reshape(slice(reshape(hidden, [rows, columns, width]), 1, { start: -count }), [rows * count, width]);
}

/** Hidden states [B * T, width] of whole sequences after each layer. */
export function allStates(
  routed: RoutedDecoder,
  { ids, positions, real }: RealBatch,
  features?: ShownFeatures,
): readonly Tensor[] {
  const places = imagePlaces(routed, ids);
  return runBlocks(routed.decoder, {
    hidden: embedRouted(routed, ids, { places, features }),
    positions,
    mask: sequenceMask(routed, real),
    changes: layerChanges(routed, places),
  });
}

interface Continuation {
  readonly steps: number;
  readonly sampler: SamplerOptions;
  readonly guidance?: Guidance | undefined;
  readonly uniform: Tensor;
  /** What the new tokens are. */
  readonly kind: 'image' | 'text';
  /** Whether words stand among image tokens: whatever `idOf` gives is looked at then. */
  readonly hasWords?: boolean;
  /** The id of a new token at a place, which counts from 0. */
  readonly idOf: (token: Tensor, place: Tensor) => Tensor;
  readonly features?: ShownFeatures | undefined;
  /** Which sequence each continuation belongs to, int64 [R]. By default there is one of each. */
  readonly rowOf?: Tensor | undefined;
}

/** Sequences [S, T] continued by tokens of one kind, R times. */
function continued(routed: RoutedDecoder, batch: RealBatch, options: Continuation): Generated {
  const { decoder } = routed;
  const { graph } = decoder.modules;
  const { ids, positions, real } = batch;
  const [sequences = 0, length = 0] = ids.shape;
  const { kind, hasWords = false, idOf, features, rowOf } = options;
  const [rows = sequences] = rowOf?.shape ?? [];
  const spread = (x: Tensor) => (rowOf ? gather(x, rowOf, 0) : x); // [S, ..] -> [R, ..]
  const logitsOf = kind === 'image' ? imageLogits : textLogits;
  const places = imagePlaces(routed, ids);
  const ofLast = (x: Tensor) => {
    const columns = x.shape[1] ?? 1;
    return reshape(slice(reshape(x, [sequences, length, columns]), 1, { start: -1 }), [sequences, columns]);
  };
  const start = prefillBlocks(decoder, {
    hidden: embedRouted(routed, ids, { places, features }),
    positions,
    mask: sequenceMask(routed, real),
    changes: layerChanges(routed, places),
  });
  const position = spread(slice(positions, 1, { start: -1 })); // [R, 1]
  const seen = spread(paddingMask(real, decoder.dtype));
  const carried: Carried[] = [
    { initial: position },
    { initial: seen, grows: 3 },
    ...start.caches.map((cache) => ({ initial: spread(cache), grows: 2 })),
  ];
  return generate(graph, {
    ...options,
    prefill: {
      logits: spread(logitsOf(routed, ofLast(start.hidden), ofLast(places))),
      carried,
    },
    decode: (token, place, [before = position, hiding = seen, ...caches]) => {
      const here = add(before, 1);
      const id = idOf(token, place);
      const what = hasWords ? imagePlaces(routed, id) : kind;
      const mask = concat([hiding, full(graph, { dtype: seen.dtype, shape: [rows, 1, 1, 1] }, 0)], 3);
      const decoded = decodeBlocks(decoder, {
        hidden: embedRouted(routed, id, { places: what }),
        positions: here,
        caches,
        mask,
        changes: layerChanges(routed, what),
      });
      return { logits: logitsOf(routed, decoded.hidden, kind), carried: [here, mask, ...decoded.caches] };
    },
  });
}

interface BeginOptions extends Pick<ProgramOptions, 'adapter'> {
  readonly positions: number;
}

function begin(graph: Graph, model: AutoregressiveModel, { positions, adapter }: BeginOptions): RoutedDecoder {
  return routedDecoder(graph, model, { positions, adapter: adapterInput(graph, model, adapter) });
}

function declareSequences(graph: Graph, rows: number, columns: number): RealBatch {
  const shape = [rows, columns];
  return {
    ids: input(graph, 'ids', { dtype: 'int64', shape }),
    positions: input(graph, 'positions', { dtype: 'int64', shape }),
    real: input(graph, 'real', { dtype: 'float32', shape }),
  };
}

function declareFeatures(
  graph: Graph,
  { config }: AutoregressiveModel,
  { features }: ProgramOptions,
): ShownFeatures | undefined {
  if (!features) return undefined;
  const rows = input(graph, 'features', { dtype: 'float32', shape: [features.count, config.width] });
  return { placeholder: features.placeholder, rows };
}

/** Additive mask [B, 1, T, T]: causal, hiding what is not `real` [B, T]. */
function sequenceMask({ decoder }: RoutedDecoder, real: Tensor): Tensor {
  const { dtype, modules } = decoder;
  return add(causalMask(modules.graph, dtype, real.shape[1] ?? 0), paddingMask(real, dtype));
}
