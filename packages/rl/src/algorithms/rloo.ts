/**
 * RLOO, REINFORCE with a leave-one-out baseline (Ahmadian et al. 2024, arXiv 2402.14740). A rollout is one action: its probability is
 * the product over its decisions, and its reward, with the KL divergence taken off, is compared with the mean of the others
 * of its group.
 *
 *   R = reward - beta KL(rollout);   A = R - mean of the other R;   loss = - min(r A, clip(r, 1 - epsilon, 1 + epsilon) A)
 *
 * r is the ratio of whole rollouts, without a root: its logarithm grows with the length, so with long rollouts several steps on
 * the same ones (mu > 1) are soon all clipped. On policy the gradient is that of REINFORCE.
 * Difference from the paper: the clipping, which is TRL's and does nothing on policy.
 */
import { defineConfig } from '@gvu/core';
import { groupAdvantages, type RewardColumn, weightedSum } from '../advantages.ts';
import type { Algorithm, RewardBatch } from '../algorithm.ts';
import { rlErrors } from '../errors.ts';
import { advantageOptions } from '../options.ts';
import { plainLoss, policyLoss } from '../policy-loss.ts';
import { clipOptions, clippedSurrogate } from './grpo.ts';

export const rlooConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    advantageClip: advantageOptions.advantageClip,
    beta: {
      type: 'number',
      minimum: 0,
      default: 0.05,
      description: 'Weight of the KL divergence of a whole rollout from the reference, which is taken off its reward.',
    },
    epsilon: clipOptions.epsilon,
  },
});

export type RlooOptions = ReturnType<typeof rlooConfig.parse>;

export function rloo(options: RlooOptions): Algorithm {
  const { beta, epsilon, ...clipping } = options;
  return {
    name: 'rloo',
    needs: { advantages: beta > 0 ? ['sequenceKl'] : [], loss: [] },
    advantages(batch) {
      return groupAdvantages(beta > 0 ? [...batch.rewards, klPenalty(batch, beta)] : batch.rewards, {
        ...clipping,
        groupSize: batch.groupSize,
        baseline: 'leave-one-out',
        scale: 'none',
        aggregation: 'sum_then_normalize',
        epsilonAdvantage: 0,
      });
    },
    loss: (batch) => policyLoss(batch, { ...plainLoss, ratio: 'product' }, clippedSurrogate({ epsilon })),
  };
}

/** The divergence as one more reward; of rollouts that could not be scored it says nothing. */
function klPenalty({ rewards, sequenceKl = [] }: RewardBatch, beta: number): RewardColumn {
  const scores = weightedSum(rewards);
  if (sequenceKl.length !== scores.length)
    throw rlErrors.error('GVU_RL_REWARDS', `${scores.length} rollouts have ${sequenceKl.length} KL divergences.`, {
      hint: 'With `beta` above 0 the batch needs `sequenceKl` for every rollout.',
    });
  return {
    name: 'kl',
    values: sequenceKl.map((kl, row) => (Number.isNaN(scores[row]) ? Number.NaN : kl)),
    weight: -beta,
  };
}
