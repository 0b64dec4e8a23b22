/**
 * AdamW inside the graph, over one flat vector of all trainable values: a handful of wide operators in place of a dozen
 * small ones per tensor, and the same program on every device.
 *
 * Source: Loshchilov & Hutter 2019 (decoupled weight decay), with the arithmetic of torch.optim.AdamW: decay before the
 * update, epsilon outside the bias correction. Clipping by the global norm follows torch.nn.utils.clip_grad_norm_.
 */
import { onnxErrors } from '../errors.ts';
import type { Tensor } from '../graph/graph.ts';
import { add, div, minimum, mul, sqrt, sub } from '../ops/arithmetic.ts';
import { sum } from '../ops/linear.ts';

export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Share of the learning rate by which every value shrinks towards zero at each step; 0 = none. */
  readonly weightDecay: number;
}

export const adamwDefaults: AdamWOptions = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 };

/** Everything that an update reads: flat vectors [P] and scalars (float32). */
export interface AdamWState {
  readonly parameters: Tensor;
  readonly gradient: Tensor;
  readonly firstMoment: Tensor;
  readonly secondMoment: Tensor;
  readonly learningRate: Tensor;
  /** 1 - beta1^t and 1 - beta2^t: see `biasCorrections`. */
  readonly correction1: Tensor;
  readonly correction2: Tensor;
}

export interface AdamWUpdate {
  readonly parameters: Tensor;
  readonly firstMoment: Tensor;
  readonly secondMoment: Tensor;
}

/** The two bias corrections of update `step` (from 1), in double precision: in float32 1 - 0.999 loses five digits. */
export function biasCorrections(
  step: number,
  { beta1, beta2 }: AdamWOptions,
): { correction1: number; correction2: number } {
  return { correction1: 1 - beta1 ** step, correction2: 1 - beta2 ** step };
}

/** One update. `decayMask` [P] of zeros and ones limits weight decay (norms and biases usually go without). */
export function adamw(state: AdamWState, options: AdamWOptions, decayMask?: Tensor): AdamWUpdate {
  const { parameters, gradient, learningRate, correction1, correction2 } = state;
  const { beta1, beta2, epsilon, weightDecay } = options;
  refuse([
    ...outside('beta1', beta1, beta1 >= 0 && beta1 < 1, '[0, 1)'),
    ...outside('beta2', beta2, beta2 >= 0 && beta2 < 1, '[0, 1)'),
    ...outside('epsilon', epsilon, epsilon > 0 && epsilon < 1, '(0, 1)'),
    ...outside('weightDecay', weightDecay, weightDecay >= 0 && Number.isFinite(weightDecay), '[0, infinity)'),
  ]);
  // The gradient's terms come first, so that nothing of the update is computed, and held, before the gradient is there.
  const firstMoment = add(mul(gradient, 1 - beta1), mul(state.firstMoment, beta1));
  const secondMoment = add(mul(mul(gradient, gradient), 1 - beta2), mul(state.secondMoment, beta2));
  const denominator = add(div(sqrt(secondMoment), sqrt(correction2)), epsilon);
  const change = mul(div(firstMoment, denominator), div(learningRate, correction1));
  const shrink = mul(learningRate, weightDecay);
  const kept = weightDecay === 0 ? parameters : mul(parameters, sub(1, decayMask ? mul(decayMask, shrink) : shrink));
  return { parameters: sub(kept, change), firstMoment, secondMoment };
}

/** The gradient scaled down so that its Euclidean norm is at most `maxNorm`, and the norm before that (scalar). */
export function clipByGlobalNorm(gradient: Tensor, maxNorm: number): { gradient: Tensor; norm: Tensor } {
  refuse(outside('maxNorm', maxNorm, maxNorm > 0 && Number.isFinite(maxNorm), '(0, infinity)'));
  const norm = sqrt(sum(mul(gradient, gradient)));
  const scale = minimum(div(maxNorm, add(norm, 1e-6)), 1);
  return { gradient: mul(gradient, scale), norm };
}

function outside(name: string, value: number, fits: boolean, range: string): readonly string[] {
  return fits ? [] : [`${name} is ${value}, not in ${range}`];
}

function refuse(problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw onnxErrors.error('GVU_OPTIMISER_OPTIONS', `${problems.join('; ')}.`, {
    hint: 'The usual values are beta1 0.9, beta2 0.999, epsilon 1e-8, weightDecay 0.01, maxNorm 1.',
    details: { problems },
  });
}
