/**
 * A reward for keeping the entropy of the reference (STAGE, arXiv 2509.25027, second remedy). Where the rewards of a group tie at the
 * top nothing holds the policy's entropy, which then wanders while the KL grows. So the best rollouts of a group are told apart by
 *
 *   1 / (1 + (H_ref - H)²),  centred on its mean over them; 0 for all other rollouts
 *
 * with H the mean entropy of a rollout in nats. A group with a single best rollout is left as it is. Difference from the released
 * code, where the best are those of the device's batch: here those of each group.
 */
import { groupsOf, type RewardColumn, weightedSum } from './advantages.ts';
import type { RewardBatch } from './algorithm.ts';
import { rlErrors } from './errors.ts';
import { mean } from './statistics.ts';

/** The reward, to be added to those of the batch. Throws GVU_RL_REWARDS unless both entropies are there for every rollout. */
export function entropyReward(batch: RewardBatch, weight: number): RewardColumn {
  const scores = weightedSum(batch.rewards);
  const { entropy = [], refEntropy = [] } = batch;
  if (entropy.length !== scores.length || refEntropy.length !== scores.length)
    throw rlErrors.error(
      'GVU_RL_REWARDS',
      `${scores.length} rollouts have ${entropy.length} entropies and ${refEntropy.length} of the reference.`,
      { hint: 'The option `entropyReward` needs both for every rollout.' },
    );
  const values = groupsOf([...scores.keys()], batch.groupSize).flatMap((rows) => {
    const best = Math.max(...rows.map((row) => scores[row] ?? Number.NaN).filter((score) => !Number.isNaN(score)));
    const closeness = rows.map((row) =>
      scores[row] === best
        ? 1 / (1 + ((refEntropy[row] ?? Number.NaN) - (entropy[row] ?? Number.NaN)) ** 2)
        : Number.NaN,
    );
    const centre = mean(closeness);
    return rows.map((row, i) => {
      const value = closeness[i] ?? Number.NaN;
      if (Number.isNaN(scores[row])) return Number.NaN;
      return Number.isNaN(value) ? 0 : value - centre;
    });
  });
  return { name: 'entropy', values, weight };
}
