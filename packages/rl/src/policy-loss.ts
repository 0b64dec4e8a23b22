/**
 * What the policy-gradient losses of the GRPO family have in common; each supplies its surrogate. In order:
 *
 *   ratio       r = exp(log p - log p_old), of each decision or of the whole rollout
 *   surrogate   one loss for each decision, from the ratio and the advantage: what makes an algorithm
 *   selection   decisions that are left out or weigh less
 *   KL          + beta KL(policy || reference) on each decision
 *   reduction   from decisions to a scalar
 *   entropy     - coefficient × mean entropy
 *
 * Gradients flow through `logp` and, for the bonus, `entropy`; never through what the rollouts were drawn or judged with.
 * Decisions outside the mask are replaced by zeros at once, so that no NaN in the padding can reach the loss.
 */
import {
  add,
  cast,
  constant,
  exp,
  greaterOrEqual,
  lessOrEqual,
  mean,
  mul,
  or,
  stopGradient,
  sub,
  sum,
  type Tensor,
  unsqueeze,
  where,
} from '@gvu/onnx';
import type { Metric, PolicyBatch, PolicyLoss, PolicyNeed } from './algorithm.ts';
import { checkPolicyBatch } from './check-batch.ts';
import { highEntropy } from './high-entropy.ts';
import { type KlEstimator, klEstimate } from './kl.ts';
import { maskedMax, maskedMean, rowMeans } from './masked.ts';
import { type Reduction, reduceLoss } from './reductions.ts';
import { similarityWeights } from './similarity-weights.ts';

export interface PolicyLossOptions {
  /** Of each decision; of a rollout, by the geometric mean of those of its decisions (GSPO), or by their product. */
  readonly ratio: 'token' | 'sequence' | 'product';
  readonly reduction: Reduction;
  readonly beta: number;
  readonly klEstimator: KlEstimator;
  readonly biasCorrectedKl: boolean;
  readonly entropyCoefficient: number;
  readonly topEntropyQuantile: number;
  readonly offPolicyThreshold?: number;
  readonly tokenWeights: 'uniform' | 'similarity';
}

/** A surrogate on policy ratios and nothing else. */
export const plainLoss: PolicyLossOptions = {
  ratio: 'token',
  reduction: 'grpo',
  beta: 0,
  klEstimator: 'k3',
  biasCorrectedKl: false,
  entropyCoefficient: 0,
  topEntropyQuantile: 1,
  tokenWeights: 'uniform',
};

/** What a surrogate is made of. */
export interface SurrogateTerms {
  /** [B, T] */
  readonly logp: Tensor;
  /** [B, T]: log of the ratio of each decision. */
  readonly logRatio: Tensor;
  /** [B, T], or [B, 1] when it is one for each rollout. */
  readonly ratio: Tensor;
  /** [B, 1] */
  readonly advantages: Tensor;
  /** [B, T]: 1 for decisions that count, else 0. */
  readonly active: Tensor;
}

/** One loss for each decision [B, T], or [B, 1] when all of a rollout share it. */
export type Surrogate = (terms: SurrogateTerms) => {
  readonly loss: Tensor;
  readonly metrics: Readonly<Record<string, Metric>>;
};

/** What a loss with these options reads. */
export function lossNeeds(options: PolicyLossOptions): readonly PolicyNeed[] {
  const needs: [PolicyNeed, boolean][] = [
    ['refLogp', options.beta > 0],
    ['entropy', options.entropyCoefficient > 0 || options.topEntropyQuantile < 1],
    ['embeddings', options.tokenWeights === 'similarity'],
    ['globalTokens', options.reduction === 'dapo'],
  ];
  return needs.flatMap(([name, needed]) => (needed ? [name] : []));
}

export function policyLoss(batch: PolicyBatch, options: PolicyLossOptions, surrogate: Surrogate): PolicyLoss {
  checkPolicyBatch(batch, lossNeeds(options));
  const terms = surrogateTerms(batch, options.ratio);
  const { logp, ratio, active } = terms;
  const policy = surrogate(terms);
  const { factors, klWeights, uncertain, metrics } = selection(batch, terms, options);
  let perDecision = factors.reduce(mul, policy.loss);

  const kl = batch.refLogp && klEstimate(options.klEstimator, logp, frozen(batch.refLogp, batch.mask));
  const correctedKl = kl && options.biasCorrectedKl ? mul(kl, ratio) : kl;
  if (correctedKl && options.beta > 0)
    perDecision = add(perDecision, mul(klWeights ? mul(correctedKl, klWeights) : correctedKl, options.beta));

  let loss = reduceLoss(perDecision, active, { ...batch, reduction: options.reduction });
  const entropy = batch.entropy && where(batch.mask, batch.entropy, 0);
  if (entropy && options.entropyCoefficient > 0)
    loss = sub(
      loss,
      mul(maskedMean(entropy, uncertain ?? active), options.entropyCoefficient / (batch.microBatches ?? 1)),
    );

  return {
    loss,
    metrics: {
      'ratio/mean': { value: maskedMean(ratio, active), join: 'mean' },
      'ratio/max': { value: maskedMax(ratio, active), join: 'max' },
      ...(correctedKl ? { kl: { value: maskedMean(correctedKl, active), join: 'mean' } } : {}),
      ...(entropy ? { entropy: { value: maskedMean(entropy, active), join: 'mean' } } : {}),
      ...metrics,
      ...policy.metrics,
    },
  };
}

/** The cleaned terms of a batch. */
function surrogateTerms(batch: PolicyBatch, level: PolicyLossOptions['ratio']): SurrogateTerms {
  const active = cast(batch.mask, batch.logp.dtype);
  const logp = where(batch.mask, batch.logp, 0);
  const logRatio = sub(logp, batch.oldLogp ? frozen(batch.oldLogp, batch.mask) : stopGradient(logp));
  const ratio = {
    token: () => logRatio,
    sequence: () => rowMeans(logRatio, active),
    product: () => sum(logRatio, [1], { keepDims: true }),
  };
  return {
    logp,
    logRatio,
    ratio: exp(ratio[level]()),
    advantages: stopGradient(unsqueeze(batch.advantages, 1)),
    active,
  };
}

/** One number where the advantage is negative, another elsewhere: [B, 1]. */
export function bySign(advantages: Tensor, values: { positive: number; negative: number }): Tensor {
  const positive = constant(advantages.block.graph, advantages.dtype, [], [values.positive]);
  return where(greaterOrEqual(advantages, 0), positive, values.negative);
}

function frozen(x: Tensor, mask: Tensor): Tensor {
  return stopGradient(where(mask, x, 0));
}

/** How much each decision counts, besides the mask, in the policy term and in the KL. */
function selection(batch: PolicyBatch, terms: SurrogateTerms, options: PolicyLossOptions) {
  const { advantages, active, logRatio } = terms;
  const factors: Tensor[] = [];
  const metrics: Record<string, Metric> = {};
  if (options.offPolicyThreshold !== undefined) {
    // DeepSeek-V3.2: what the policy has moved away from, and was bad anyway, says little about the policy of now.
    const drift = rowMeans(mul(stopGradient(logRatio), -1), active);
    const kept = cast(or(greaterOrEqual(advantages, 0), lessOrEqual(drift, options.offPolicyThreshold)), active.dtype); // [B, 1]
    factors.push(kept);
    metrics['off_policy/dropped'] = { value: sub(1, mean(kept)), join: 'mean' };
  }
  const uncertain =
    batch.entropy && options.topEntropyQuantile < 1
      ? highEntropy(frozen(batch.entropy, batch.mask), active, options.topEntropyQuantile)
      : undefined;
  if (uncertain) factors.push(uncertain);
  const similar =
    batch.embeddings && options.tokenWeights === 'similarity'
      ? similarityWeights(stopGradient(batch.embeddings.values), { advantages, active }, batch.embeddings.groupSize)
      : undefined;
  if (similar) factors.push(similar.policy);
  return { factors, uncertain, klWeights: similar?.kl, metrics };
}
