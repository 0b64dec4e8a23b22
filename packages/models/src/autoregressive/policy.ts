/**
 * The policy of an autoregressive model as a differentiable graph: the log-probabilities of drawings, all tokens of all rows in one
 * pass, without guidance and truncation. At temperature 1 it is what the drawing was told to have when it was drawn.
 */
import {
  checkpoint,
  concat,
  constant,
  constantData,
  type DType,
  entropy,
  expand,
  type Graph,
  gather,
  input,
  mul,
  reshape,
  slice,
  type Tensor,
  tensorData,
  tokenLogProb,
} from '@gvu/onnx';
import type { Drawing, PolicyGraphOptions, PolicyTerms, TrainablePolicy } from '../backend.ts';
import { drawingPlaces, type LineEnds } from './line-ends.ts';
import { type AutoregressiveModel, oncePerGraph, routedDecoder } from './model.ts';
import { lastStates } from './programs.ts';
import { imageLogits, type RoutedDecoder } from './routes.ts';
import { roundedLength, sequenceData } from './sequences.ts';

export interface PolicyOptions {
  /** T of every drawing. */
  readonly steps: number;
  readonly lineEnds?: LineEnds | undefined;
  /** The tokens that a drawing of a prompt continues; throws GVU_MODEL_TEXT. */
  readonly promptIds: (prompt: string) => readonly number[];
  /** A token that stands where there is none. */
  readonly padding: number;
  /** The tokens as the image decoder sees them, [.., D] of image tokens [..]. */
  readonly embeddings?: ((graph: Graph, tokens: Tensor) => Tensor) | undefined;
}

const names = {
  ids: 'drawing ids',
  positions: 'drawing positions',
  real: 'drawing real',
  tokens: 'drawing tokens',
} as const;

export function createPolicy({ weights, ...rest }: AutoregressiveModel, options: PolicyOptions): TrainablePolicy {
  const model = { ...rest, weights: oncePerGraph(weights) };
  const { steps, promptIds, padding, lineEnds } = options;
  const places = drawingPlaces(steps, lineEnds);
  const { firstId } = model.routes.image;
  const idsOf = (tokens: Int32Array) =>
    places.map((step) => (step < 0 ? (lineEnds?.id ?? 0) : (tokens[step] ?? 0) + firstId));
  return {
    promptLength: (prompts) =>
      roundedLength(prompts.reduce((longest, prompt) => Math.max(longest, promptIds(prompt).length), 1)),
    build: (graph, settings) => buildPolicy(graph, { model, options }, settings),
    feeds(drawings, { promptLength }) {
      const rows = drawings.map(({ prompt, tokens }) => ({
        before: promptIds(prompt),
        after: idsOf(tokens).slice(0, -1), // nothing follows the last
      }));
      const sequences = sequenceData(rows, { length: promptLength, afterLength: places.length - 1, padding });
      return {
        [names.ids]: sequences.ids,
        [names.positions]: sequences.positions,
        [names.real]: sequences.real,
        [names.tokens]: { dtype: 'int64', shape: [drawings.length, steps], data: tokensOf(drawings) },
      };
    },
  };
}

function buildPolicy(
  graph: Graph,
  { model, options }: { model: AutoregressiveModel; options: PolicyOptions },
  { rows, promptLength, adapter, temperature, checkpointing }: PolicyGraphOptions,
): PolicyTerms {
  const { steps, embeddings, lineEnds } = options;
  const places = drawingPlaces(steps, lineEnds);
  const columns = promptLength + places.length - 1;
  const routed = routedDecoder(graph, model, { positions: columns, adapter, checkpointing });
  // The policy may stand in a graph twice, with an adapter and without: both look at the same drawings.
  const declared = (name: string, dtype: DType, size: number) =>
    graph.main.inputs.find((known) => known.name === name) ?? input(graph, name, { dtype, shape: [rows, size] });
  const tokens = declared(names.tokens, 'int64', steps);
  const batch = {
    ids: declared(names.ids, 'int64', columns),
    positions: declared(names.positions, 'int64', columns),
    real: declared(names.real, 'float32', columns),
  };
  const states = lastStates(routed, batch, { count: places.length });
  const hidden = lineEnds ? gather(states, freeRows(graph, { rows, places })) : states;
  const { logp, entropy: spread } = tokenTerms(routed, hidden, {
    tokens: reshape(tokens, [-1]),
    temperature,
    checkpointing,
  });
  return {
    logp: reshape(logp, [rows, steps]),
    entropy: reshape(spread, [rows, steps]),
    mask: expand(constant(graph, 'bool', [1, 1], [true]), [rows, steps]),
    ...(embeddings && { embeddings: embeddings(graph, tokens) }),
  };
}

/** Which of the states [B * places] are those that a token is drawn after. */
function freeRows(graph: Graph, { rows, places }: { rows: number; places: readonly number[] }): Tensor {
  const free = Array.from({ length: rows }, (_, row) =>
    places.flatMap((step, place) => (step < 0 ? [] : [row * places.length + place])),
  ).flat();
  return constantData(graph, tensorData('int64', [free.length], free));
}

/** Logits that are in memory at once, at most: 64 MiB in float32. */
const logitsAtOnce = 2 ** 24;

/**
 * Log-probability and entropy [N] of tokens [N] after hidden states [N, width], some rows at a time. With checkpointing the logits of
 * no other rows are kept, so that [N, vocabulary] never exists.
 */
function tokenTerms(
  routed: RoutedDecoder,
  hidden: Tensor,
  {
    tokens,
    temperature,
    checkpointing = false,
  }: { tokens: Tensor; temperature: number; checkpointing?: boolean | undefined },
): { logp: Tensor; entropy: Tensor } {
  const { graph } = routed.decoder.modules;
  const [count = 0] = hidden.shape;
  const atOnce = Math.max(1, Math.floor(logitsAtOnce / routed.routes.image.tokens));
  const parts = Array.from({ length: Math.ceil(count / atOnce) }, (_, i) => {
    const range = { start: i * atOnce, end: Math.min((i + 1) * atOnce, count) };
    const [states, chosen] = [slice(hidden, 0, range), slice(tokens, 0, range)];
    const build = () => {
      const logits = imageLogits(routed, states, 'image');
      const tempered = temperature === 1 ? logits : mul(logits, 1 / temperature);
      return { logp: tokenLogProb(tempered, chosen), entropy: entropy(tempered) };
    };
    return checkpointing ? checkpoint(graph, build) : build();
  });
  const joined = (pick: (part: { logp: Tensor; entropy: Tensor }) => Tensor) =>
    concat(
      parts.map((part) => pick(part)),
      0,
    );
  return { logp: joined(({ logp }) => logp), entropy: joined((part) => part.entropy) };
}

function tokensOf(drawings: readonly Drawing[]): BigInt64Array {
  return BigInt64Array.from(
    drawings.flatMap(({ tokens }) => [...tokens]),
    BigInt,
  );
}
