/**
 * Log-probabilities and what losses are made of, from rows of logits (the last axis). Everything is computed from the logits less
 * their largest, c, and from e = exp(c): nothing overflows, and softmax and its logarithm are never materialised.
 *
 * What that is for: with s = sum(e), the gradient of a token's log-probability, (one-hot - softmax) d, comes out as e * (-d / s) plus
 * one element a row, added in place. The kernel LogSoftmax would need four passes over [N, V] where this needs one.
 *
 * Mask logits with a large negative number: -Infinity has no gradient.
 */
import { onnxErrors } from '../errors.ts';
import type { Tensor } from '../graph/graph.ts';
import { sameShape, typeText } from '../graph/specs/spec.ts';
import { cast, div, equal, exp, log, maximum, mul, neg, not, stopGradient, sub, where } from './arithmetic.ts';
import { reduceMax, sum } from './linear.ts';
import { gatherElements, squeeze, unsqueeze } from './movement.ts';

/** Log-probabilities [..] of the tokens `ids` [..] (integers) under the softmax of `logits` [.., V]. */
export function tokenLogProb(logits: Tensor, ids: Tensor): Tensor {
  if (!sameShape(ids.shape, logits.shape.slice(0, -1)))
    throw onnxErrors.error('GVU_GRAPH_SHAPE', `Tokens ${typeText(ids)} do not fit logits ${typeText(logits)}.`, {
      hint: 'Give one id for each row of logits.',
    });
  const centred = centre(logits);
  // Before exp, so that its gradient is added to that of exp, in place.
  const chosen = gatherElements(centred, unsqueeze(ids, -1), -1);
  return squeeze(sub(chosen, log(rowSum(exp(centred)))), -1);
}

/** Entropy [..] in nats of the softmax of `logits` [.., V]. */
export function entropy(logits: Tensor): Tensor {
  const centred = centre(logits);
  const weights = exp(centred);
  const total = rowSum(weights);
  return squeeze(sub(log(total), div(rowSum(mul(weights, centred)), total)), -1);
}

/** Kullback-Leibler divergence [..] in nats of softmax(logits) from softmax(other), both [.., V]: zero where they are equal. */
export function klDivergence(logits: Tensor, other: Tensor): Tensor {
  const [centred, otherCentred] = [centre(logits), centre(other)];
  const weights = exp(centred);
  const [total, otherTotal] = [rowSum(weights), rowSum(exp(otherCentred))];
  const meanDifference = div(rowSum(mul(weights, sub(centred, otherCentred))), total);
  return squeeze(sub(meanDifference, sub(log(total), log(otherTotal))), -1);
}

export interface CrossEntropyOptions {
  /** Rows with this target have no loss and no gradient. */
  readonly ignoreIndex?: number;
  /** `mean` (the default) divides by the number of rows that count, and is 0 when there is none. `none` gives the loss of each row. */
  readonly reduction?: 'mean' | 'sum' | 'none';
}

/** Cross-entropy of `logits` [.., V] with the classes `targets` [..] (integers). */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { ignoreIndex, reduction = 'mean' } = options;
  const ignored = ignoreIndex === undefined ? undefined : equal(targets, ignoreIndex);
  const logProb = tokenLogProb(logits, ignored ? where(ignored, 0, targets) : targets);
  const losses = ignored ? where(ignored, 0, neg(logProb)) : neg(logProb);
  if (reduction === 'none') return losses;
  if (reduction === 'sum') return sum(losses);
  const count = ignored
    ? maximum(sum(cast(not(ignored), logits.dtype)), 1)
    : losses.shape.reduce((n, dim) => n * dim, 1);
  return div(sum(losses), count);
}

/** The rows less their largest element, which changes no probability and hence takes no part in the gradient. */
function centre(logits: Tensor): Tensor {
  return sub(logits, stopGradient(reduceMax(logits, [-1], { keepDims: true })));
}

function rowSum(x: Tensor): Tensor {
  return sum(x, [-1], { keepDims: true });
}
