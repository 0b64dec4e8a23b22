/**
 * From logits to a token, inside the graph: temperature, top-k, top-p, min-p, then the inverse of the cumulative distribution
 * at a uniform number that the caller feeds. Same noise, same token, on any batch size.
 *
 * The order and the rules are those of Hugging Face's warpers (top-k, then top-p on what is left, then min-p relative to the
 * likeliest token). Two log-probabilities come out: under the policy (the full softmax, before any truncation) and under
 * the sampler (what the token was really drawn from). Importance correction needs both.
 *
 * Logits must be finite: give a token that must not be drawn a very low one. A row that has a NaN or +infinity still yields
 * a token of the vocabulary, and NaN as one of its log-probabilities at least: that is the signal to look for.
 */
import { onnxErrors } from '../errors.ts';
import type { Tensor } from '../graph/graph.ts';
import { add, cast, greaterOrEqual, less, lessOrEqual, mul, where } from '../ops/arithmetic.ts';
import { argmax, cumsum, logSoftmax, reduceMax, softmax, sum, topK } from '../ops/linear.ts';
import { gatherElements, slice } from '../ops/movement.ts';

export interface SamplerOptions {
  /** Divides the logits; 0 takes the likeliest token always. */
  readonly temperature: number;
  /** Keep the k likeliest tokens; 0 = all. */
  readonly topK: number;
  /** Keep the likeliest tokens until their probabilities add up to this; 1 = all. */
  readonly topP: number;
  /** Keep tokens at least this fraction as likely as the likeliest; 0 = all. */
  readonly minP: number;
}

/** Draws from the policy itself. */
export const exactSampler: SamplerOptions = { temperature: 1, topK: 0, topP: 1, minP: 0 };

/** Far below any logit, yet finite: infinities would turn into NaN in differences. */
const NEVER = -1e30;

export interface Draw {
  /** [B, 1] int64. */
  readonly token: Tensor;
  /** [B, 1] log-probability under the softmax of `policyLogits` (temperature 1, untruncated). */
  readonly policyLogProb: Tensor;
  /** [B, 1] log-probability under the truncated distribution that the token was drawn from. */
  readonly samplerLogProb: Tensor;
}

/**
 * Draws one token a row. `logits` [B, V] float32 are what is sampled; `policyLogits` [B, V] (default: the same) define the policy,
 * which differs when guidance changed the logits. `uniform` [B, 1] lies in [0, 1).
 */
export function drawToken(
  logits: Tensor,
  uniform: Tensor,
  options: SamplerOptions,
  policyLogits: Tensor = logits,
): Draw {
  checkSampler(options);
  const { token, samplerLogProb } =
    options.temperature === 0
      ? { token: argmax(logits, 1, { keepDims: true }), samplerLogProb: mul(uniform, 0) }
      : truncatedDraw(options.temperature === 1 ? logits : mul(logits, 1 / options.temperature), uniform, options);
  return {
    token,
    policyLogProb: gatherElements(logSoftmax(policyLogits), token, 1),
    // The policy's own logits show in its log-probability; others must show here.
    samplerLogProb: policyLogits === logits ? samplerLogProb : add(samplerLogProb, zeroIfFinite(logits)),
  };
}

/** For each row of x [B, V], 0 when all of it is finite and NaN otherwise: [B, 1]. */
function zeroIfFinite(x: Tensor): Tensor {
  // Element by element: the sum of finite numbers may be infinite.
  return sum(mul(x, 0), [1], { keepDims: true });
}

function truncatedDraw(
  logits: Tensor,
  uniform: Tensor,
  options: SamplerOptions,
): { token: Tensor; samplerLogProb: Tensor } {
  const vocabulary = logits.shape[1] ?? 0;
  const k = options.topK === 0 ? vocabulary : Math.min(options.topK, vocabulary);
  // Only top-k and top-p need the tokens in order of likelihood; sorting a whole vocabulary is the dear case.
  if (k === vocabulary && options.topP === 1) return inverseCdf(keepMinP(logits, options.minP), uniform);
  const { values, indices } = topK(logits, k);
  const kept = keepMinP(keepTopP(values, options.topP), options.minP);
  const { token: rank, samplerLogProb } = inverseCdf(kept, uniform);
  return { token: gatherElements(indices, rank, 1), samplerLogProb };
}

/** Masks, in logits sorted from the likeliest down, everything after the first tokens whose probabilities reach p. */
function keepTopP(sorted: Tensor, p: number): Tensor {
  if (p === 1) return sorted;
  const before = cumsum(softmax(sorted), 1, { exclusive: true });
  return where(less(before, p), sorted, NEVER);
}

function keepMinP(logits: Tensor, minP: number): Tensor {
  if (minP === 0) return logits;
  const threshold = add(reduceMax(logits, [1], { keepDims: true }), Math.log(minP));
  return where(greaterOrEqual(logits, threshold), logits, NEVER);
}

/** The first position whose cumulative probability exceeds u times the total: it always has a probability above zero. */
function inverseCdf(logits: Tensor, uniform: Tensor): { token: Tensor; samplerLogProb: Tensor } {
  const probabilities = softmax(logits);
  const cumulative = cumsum(probabilities, 1);
  const total = slice(cumulative, 1, { start: -1 });
  const below = cast(lessOrEqual(cumulative, mul(uniform, total)), 'float32');
  const token = cast(sum(below, [1], { keepDims: true }), 'int64');
  return { token, samplerLogProb: gatherElements(logSoftmax(logits), token, 1) };
}

function checkSampler({ temperature, topK: k, topP, minP }: SamplerOptions): void {
  const problems: string[] = [];
  // Smaller ones would scale logits beyond what a mask can hide.
  if (temperature !== 0 && !(temperature >= 1e-6 && temperature <= 100))
    problems.push(`temperature ${temperature} is neither 0 nor in [1e-6, 100]`);
  if (!Number.isInteger(k) || k < 0) problems.push(`topK ${k} is not a whole number from 0`);
  if (!(topP >= 1e-6 && topP <= 1)) problems.push(`topP ${topP} is not in [1e-6, 1]`);
  if (!(minP >= 0 && minP <= 1)) problems.push(`minP ${minP} is not in [0, 1]`);
  if (problems.length > 0)
    throw onnxErrors.error('GVU_SAMPLER_OPTIONS', `${problems.join('; ')}.`, {
      hint: 'Use temperature 1, topK 0, topP 1, minP 0 to draw from the policy itself.',
      details: { problems },
    });
}
