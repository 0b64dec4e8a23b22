/** The algorithms of the GRPO family: rewards compared within groups, one surrogate each. */
import { type GroupAdvantageOptions, groupAdvantages } from '../advantages.ts';
import type { Algorithm } from '../algorithm.ts';
import { entropyReward } from '../entropy-reward.ts';
import { rlErrors } from '../errors.ts';
import { lossNeeds, type PolicyLossOptions, policyLoss, type Surrogate } from '../policy-loss.ts';

export type GroupRelativeOptions = Omit<GroupAdvantageOptions, 'groupSize' | 'baseline'> &
  PolicyLossOptions & { readonly entropyReward: number };

/** Throws GVU_RL_OPTIONS when options contradict each other. */
export function groupRelative(name: string, options: GroupRelativeOptions, surrogate: Surrogate): Algorithm {
  if (options.aggregation === 'normalize_then_sum' && options.scale !== 'group')
    throw rlErrors.error(
      'GVU_RL_OPTIONS',
      `'scale' is ${options.scale}, but with 'aggregation' normalize_then_sum each reward is scaled in its group.`,
      { hint: "Leave out 'scale', or use sum_then_normalize." },
    );
  return {
    name,
    needs: { advantages: options.entropyReward > 0 ? ['entropy', 'refEntropy'] : [], loss: lossNeeds(options) },
    advantages(batch) {
      const { rewards, groupSize } = batch;
      const columns = options.entropyReward > 0 ? [...rewards, entropyReward(batch, options.entropyReward)] : rewards;
      return groupAdvantages(columns, { ...options, groupSize, baseline: 'group' });
    },
    loss: (batch) => policyLoss(batch, options, surrogate),
  };
}
