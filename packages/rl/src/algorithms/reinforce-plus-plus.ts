/**
 * REINFORCE++ (Hu et al. 2025, arXiv 2501.03262), the variant with a group baseline for several rollouts a prompt: rewards are
 * compared within their group, but scaled over the whole batch, so that a prompt whose rollouts are nearly equal does not
 * get advantages as large as one whose rollouts differ.
 *
 *   A = standardise over the batch (R - mean of the group);   loss = - min(r A, clip(r, 1 - epsilon, 1 + epsilonHigh) A) + beta k2
 *
 * Differences from the paper: only this variant. The plain one takes a KL divergence off the reward of each decision and so gives
 * every decision an advantage of its own, which the contract of an algorithm does not have.
 */
import { defineConfig } from '@gvu/core';
import { checkRewards, describeAdvantages, groupsOf, weightedSum } from '../advantages.ts';
import type { Algorithm } from '../algorithm.ts';
import { advantageOptions, lossOptions } from '../options.ts';
import { lossNeeds, plainLoss, policyLoss } from '../policy-loss.ts';
import { mean, standardised } from '../statistics.ts';
import { clipOptions, clippedSurrogate } from './grpo.ts';

export const reinforcePlusPlusConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    epsilonAdvantage: advantageOptions.epsilonAdvantage,
    advantageClip: advantageOptions.advantageClip,
    reduction: { ...lossOptions.reduction, default: 'bnpo' },
    beta: lossOptions.beta,
    klEstimator: { ...lossOptions.klEstimator, default: 'k2' },
    ...clipOptions,
  },
});

export type ReinforcePlusPlusOptions = ReturnType<typeof reinforcePlusPlusConfig.parse>;

export function reinforcePlusPlus(options: ReinforcePlusPlusOptions): Algorithm {
  const loss = { ...plainLoss, ...options };
  return {
    name: 'reinforce++',
    needs: { advantages: [], loss: lossNeeds(loss) },
    advantages({ rewards, groupSize }) {
      checkRewards(rewards, groupSize);
      const centred = groupsOf(weightedSum(rewards), groupSize).flatMap((group) => {
        const centre = mean(group);
        return group.map((reward) => reward - centre);
      });
      return describeAdvantages(rewards, standardised(centred, options.epsilonAdvantage), { ...options, groupSize });
    },
    loss: (batch) => policyLoss(batch, loss, clippedSurrogate(options)),
  };
}
