/**
 * The contract of an algorithm: two pure parts. `advantages` runs on the host and turns the rewards of a batch into one
 * number for each rollout; `loss` builds, in the graph, a scalar to be minimised, and autodiff does the rest. An algorithm
 * samples nothing, keeps no state and knows no model.
 *
 * A rollout is a row of T decisions, whatever they are: tokens of an autoregressive policy, steps of masked diffusion,
 * steps of a flow. Rows that took fewer decisions, or forced ones, have a mask.
 */
import { contributionPoint } from '@gvu/core';
import type { Tensor } from '@gvu/onnx';
import type { Advantages, RewardColumn } from './advantages.ts';

/** Made by an algorithm's factory from its options. */
export interface Algorithm {
  readonly name: string;
  /** Which optional fields `advantages` and `loss` read: the trainer computes nothing else. */
  readonly needs: { readonly advantages: readonly RewardNeed[]; readonly loss: readonly PolicyNeed[] };
  /** Throws GVU_RL_REWARDS when the rewards do not fit. */
  advantages(batch: RewardBatch): Advantages;
  /** Throws GVU_RL_TENSORS when the tensors do not fit or some are missing. */
  loss(batch: PolicyBatch): PolicyLoss;
}

/** The rewards of B rollouts; those of a prompt are adjacent. All lists are [B]. */
export interface RewardBatch {
  readonly rewards: readonly RewardColumn[];
  /** G, rollouts a prompt. */
  readonly groupSize: number;
  /** How far a rollout is from the reference: the sum over its decisions of old minus reference log-probability. */
  readonly sequenceKl?: readonly number[];
  /** Entropy of the policy, and of the reference, averaged over the decisions of a rollout, in nats. */
  readonly entropy?: readonly number[];
  readonly refEntropy?: readonly number[];
}

export type RewardNeed = 'sequenceKl' | 'entropy' | 'refEntropy';

/** A micro-batch of B rollouts of at most T decisions; floating point tensors are all float32 or all float64. */
export interface PolicyBatch {
  /** [B, T]: log-probabilities of the decisions under the policy that is trained. The loss is differentiated through them. */
  readonly logp: Tensor;
  /** [B, T] bool: which decisions count. Those that do not may hold anything, even NaN. */
  readonly mask: Tensor;
  /** [B] */
  readonly advantages: Tensor;
  /** [B, T]: log-probabilities when the rollouts were drawn. Absent = on policy: the ratio is exactly 1, and clipping never acts. */
  readonly oldLogp?: Tensor | undefined;
  /** [B, T]: log-probabilities under the reference policy. */
  readonly refLogp?: Tensor | undefined;
  /** [B, T]: entropies of the policy in nats; the loss may be differentiated through them too. */
  readonly entropy?: Tensor | undefined;
  /** [B, T, D]: embeddings of the decisions, as the image decoder sees them; the rows are whole groups of `groupSize`. */
  readonly embeddings?: { readonly values: Tensor; readonly groupSize: number } | undefined;
  /** Scalar: the decisions that count in all micro-batches of the optimiser step. */
  readonly globalTokens?: Tensor | undefined;
  /** Micro-batches of the optimiser step, whose gradients are added up. Default 1. */
  readonly microBatches?: number;
  /** The most decisions that a rollout may have. Default T. */
  readonly maxLength?: number;
}

export type PolicyNeed = 'refLogp' | 'entropy' | 'embeddings' | 'globalTokens';

export interface PolicyLoss {
  /** Scalar, to be minimised. */
  readonly loss: Tensor;
  /** Scalars to watch, by name. They are no part of the loss. */
  readonly metrics: Readonly<Record<string, Metric>>;
}

export interface Metric {
  readonly value: Tensor;
  /** How to join the values of several micro-batches. */
  readonly join: 'mean' | 'max';
}

export const algorithms = contributionPoint<Algorithm>({
  kind: 'algorithms',
  description: 'How rewards become advantages, and advantages a loss.',
});
