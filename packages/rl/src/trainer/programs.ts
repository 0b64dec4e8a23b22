/**
 * The three programs of training. Gradients are added up in a variable over micro-batches, then one update uses and clears them.
 *
 *   log-probabilities   drawings -> logp, entropy [B, T]: of the reference, and of the policy before an off-policy update
 *   gradient            drawings, advantages -> gradient + dloss/dadapter, and what there is to watch
 *   update              gradient -> the next adapter by AdamW, and a gradient of zeros
 */
import type { Adapter, PolicyTerms, TrainablePolicy } from '@gvu/models';
import {
  type AdamWOptions,
  adamw,
  add,
  clipByGlobalNorm,
  compile,
  createGraph,
  type FlatLayout,
  flatSize,
  full,
  type Graph,
  gradients,
  input,
  lessOrEqual,
  output,
  type Program,
  type Tensor,
  unflatten,
  where,
} from '@gvu/onnx';
import type { Algorithm } from '../algorithm.ts';

/** How programs see an adapter: the input `adapter` [P]. */
export interface AdapterLayout {
  readonly layout: FlatLayout;
  /** alpha / rank */
  readonly scale: number;
}

export interface PolicyProgramOptions {
  readonly policy: TrainablePolicy;
  /** B, of a micro-batch. */
  readonly rows: number;
  readonly promptLength: number;
  readonly temperature: number;
}

/** Inputs: those of drawings, and `adapter` if there is one. */
export function logProbProgram(options: PolicyProgramOptions, adapter: AdapterLayout | undefined): Program {
  const graph = createGraph({ name: 'log-probabilities' });
  const { logp, entropy } = termsOf(graph, options, adapter && adapterInput(graph, adapter).adapter);
  output('logp', logp);
  output('entropy', entropy);
  return compile(graph);
}

export interface GradientOptions {
  readonly algorithm: Algorithm;
  readonly groupSize: number;
  /** Micro-batches of an update. */
  readonly microBatches: number;
  /** Whether `oldLogp` is fed: the policy may have changed since the drawings were made. */
  readonly offPolicy: boolean;
  /** Compute blocks again in the backward pass in place of keeping their inner values. */
  readonly checkpointing: boolean;
}

/** Prefix of the outputs that are metrics; the rest of the name is the metric's. */
export const metricPrefix = 'metric ';

/**
 * Inputs: those of drawings, `adapter` and `gradient` [P], `advantages` [B], and as the algorithm and `offPolicy` ask `oldLogp` and
 * `refLogp` [B, T], `globalTokens` [].
 */
export function gradientProgram(
  options: PolicyProgramOptions & GradientOptions,
  adapter: AdapterLayout,
): { readonly program: Program; readonly joins: Readonly<Record<string, 'mean' | 'max'>> } {
  const { algorithm, rows, groupSize, microBatches, offPolicy } = options;
  const graph = createGraph({ name: 'gradient' });
  const { flat, adapter: tensors } = adapterInput(graph, adapter);
  const terms = termsOf(graph, options, tensors);
  const float = (name: string, shape: readonly number[]) => input(graph, name, { dtype: 'float32', shape });
  const needs = new Set(algorithm.needs.loss);
  const { loss, metrics } = algorithm.loss({
    ...terms,
    advantages: float('advantages', [rows]),
    oldLogp: offPolicy ? float('oldLogp', terms.logp.shape) : undefined,
    refLogp: needs.has('refLogp') ? float('refLogp', terms.logp.shape) : undefined,
    globalTokens: needs.has('globalTokens') ? float('globalTokens', []) : undefined,
    embeddings: needs.has('embeddings') && terms.embeddings ? { values: terms.embeddings, groupSize } : undefined,
    microBatches,
  });
  const [gradient = flat] = gradients(loss, [flat]);
  output('next gradient', add(float('gradient', flat.shape), gradient));
  output('logp', terms.logp);
  output(`${metricPrefix}loss`, loss);
  for (const [name, { value }] of Object.entries(metrics)) output(`${metricPrefix}${name}`, value);
  const joins = Object.fromEntries(Object.entries(metrics).map(([name, { join }]) => [name, join]));
  return { program: compile(graph), joins: { ...joins, loss: 'mean' } };
}

/**
 * Inputs: `adapter`, `firstMoment`, `secondMoment`, `gradient` [P], `learningRate`, `correction1`, `correction2` []. A gradient that
 * is not finite changes nothing but shows in `norm`.
 */
export function updateProgram(
  layout: FlatLayout,
  options: AdamWOptions & { readonly maxGradientNorm: number },
): Program {
  const graph = createGraph({ name: 'update' });
  const vector = (name: string) => input(graph, name, { dtype: 'float32', shape: [flatSize(layout)] });
  const scalar = (name: string) => input(graph, name, { dtype: 'float32', shape: [] });
  const before = {
    parameters: vector('adapter'),
    firstMoment: vector('firstMoment'),
    secondMoment: vector('secondMoment'),
  };
  const clipped = clipByGlobalNorm(vector('gradient'), options.maxGradientNorm);
  const after = adamw(
    {
      ...before,
      gradient: clipped.gradient,
      learningRate: scalar('learningRate'),
      correction1: scalar('correction1'),
      correction2: scalar('correction2'),
    },
    options,
  );
  const usable = lessOrEqual(clipped.norm, 1e30); // false for NaN, too
  output('next adapter', where(usable, after.parameters, before.parameters));
  output('next firstMoment', where(usable, after.firstMoment, before.firstMoment));
  output('next secondMoment', where(usable, after.secondMoment, before.secondMoment));
  output('next gradient', full(graph, before.parameters, 0));
  output('norm', clipped.norm);
  return compile(graph);
}

function termsOf(
  graph: Graph,
  { policy, ...options }: PolicyProgramOptions & Partial<Pick<GradientOptions, 'checkpointing'>>,
  adapter: Adapter | undefined,
): PolicyTerms {
  const { rows, promptLength, temperature, checkpointing = false } = options;
  return policy.build(graph, { rows, promptLength, temperature, adapter, checkpointing });
}

function adapterInput(graph: Graph, { layout, scale }: AdapterLayout): { flat: Tensor; adapter: Adapter } {
  const flat = input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] });
  return { flat, adapter: { tensors: unflatten(flat, layout), scale } };
}
