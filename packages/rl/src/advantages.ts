/**
 * From rewards to advantages, on the host: how much better each rollout is than its group, the G rollouts of one prompt.
 *
 * Source: GRPO (Shao et al. 2024, Eq. 7 of the GvU paper), Dr. GRPO (no scaling), RLOO (leave-one-out), GDPO (each
 * reward standardised by itself), in the arithmetic of TRL's GRPOTrainer. Everything is float64.
 *
 * NaN = unscorable: a rollout that no reward could judge is left out of every mean and deviation and gets advantage 0, so it
 * teaches nothing. Differences from TRL: a reward of weight 0 is only reported and cannot make a rollout scorable, and
 * infinite rewards are refused, because one of them would turn its whole group into NaN.
 */
import { rlErrors } from './errors.ts';
import { mean, standardised, unbiasedStd } from './statistics.ts';

/** What one reward said of every rollout. */
export interface RewardColumn {
  readonly name: string;
  /** [B]: the rollouts of a prompt are adjacent. NaN = this reward could not judge this rollout. */
  readonly values: readonly number[];
  /** Factor in the sum of rewards; default 1. */
  readonly weight?: number;
}

export interface GroupAdvantageOptions {
  /** G, rollouts a prompt; their number is a multiple of it. */
  readonly groupSize: number;
  /** What a reward is compared with: the mean of its group, or of the others in its group. */
  readonly baseline: 'group' | 'leave-one-out';
  /** Divide by the deviation of the rewards of the group, of the whole batch, or not at all. */
  readonly scale: 'group' | 'batch' | 'none';
  /**
   * Several rewards: add them and standardise the sum, or (GDPO) standardise each in its group, add, and standardise over the
   * batch, for which `baseline` and `scale` leave no choice.
   */
  readonly aggregation: 'sum_then_normalize' | 'normalize_then_sum';
  /** Added to every deviation that is divided by. */
  readonly epsilonAdvantage: number;
  /** Advantages are limited to [-limit, limit]. */
  readonly advantageClip?: number;
}

export interface Advantages {
  /** [B], never NaN. */
  readonly advantages: readonly number[];
  /** [B]: the weighted sum of the rewards; NaN = unscorable. */
  readonly rewards: readonly number[];
  readonly statistics: AdvantageStatistics;
}

/** Of one batch. Means and deviations are NaN when too few rollouts could be scored. */
export interface AdvantageStatistics {
  readonly rewardMean: number;
  /** Deviation inside a group, averaged over the groups that have one. */
  readonly rewardStd: number;
  /** Share of groups that cannot teach: all rewards tie, or fewer than two rollouts could be scored. At 1 the step is lost. */
  readonly zeroStdFraction: number;
  /** Rollouts that no reward could judge. */
  readonly unscorable: number;
  /** Share of rollouts whose advantage met `advantageClip`. */
  readonly clippedFraction: number;
  readonly rewards: Readonly<
    Record<string, { readonly mean: number; readonly std: number; readonly unscorable: number }>
  >;
}

/** Below this a deviation is rounding; TRL draws the line at the same place. */
const TIED = 1e-8;

/** The advantage of every rollout. Throws GVU_RL_REWARDS, listing every problem. */
export function groupAdvantages(rewards: readonly RewardColumn[], options: GroupAdvantageOptions): Advantages {
  checkRewards(rewards, options.groupSize);
  const combined = weightedSum(rewards);
  const relative =
    options.aggregation === 'sum_then_normalize'
      ? sumThenNormalize(combined, options)
      : normalizeThenSum(rewards, options);
  return describeAdvantages(rewards, relative, options);
}

/** The weighted sum of the rewards that judged a rollout; NaN where none of weight did. */
export function weightedSum(rewards: readonly RewardColumn[]): readonly number[] {
  const weighted = rewards.filter(({ weight = 1 }) => weight !== 0);
  const rows = weighted[0]?.values ?? [];
  return rows.map((_, row) => {
    const terms = weighted.flatMap(({ values, weight = 1 }) => {
      const value = values[row] ?? Number.NaN;
      return Number.isNaN(value) ? [] : [weight * value];
    });
    return terms.length === 0 ? Number.NaN : terms.reduce((sum, term) => sum + term, 0);
  });
}

function sumThenNormalize(rewards: readonly number[], options: GroupAdvantageOptions): readonly number[] {
  const { groupSize, baseline, scale, epsilonAdvantage } = options;
  const batchStd = unbiasedStd(rewards);
  return groupsOf(rewards, groupSize).flatMap((group) => {
    const centre = mean(group);
    const scored = group.filter((reward) => !Number.isNaN(reward)).length;
    // r - mean of the others = (r - mean of all) n / (n - 1)
    const factor = baseline === 'leave-one-out' ? scored / (scored - 1) : 1;
    const std = scale === 'group' ? unbiasedStd(group) : batchStd;
    const divisor = scale === 'none' ? 1 : std + epsilonAdvantage;
    return group.map((reward) => ((reward - centre) * factor) / divisor);
  });
}

/** GDPO: rewards of different units count alike, and the one with the largest deviation does not drown the others. */
function normalizeThenSum(rewards: readonly RewardColumn[], options: GroupAdvantageOptions): readonly number[] {
  const { groupSize, epsilonAdvantage } = options;
  const unscorable = weightedSum(rewards).map(Number.isNaN);
  const columns = rewards.map((column) => ({
    ...column,
    values: groupsOf(column.values, groupSize)
      .flatMap((group) => standardised(group, epsilonAdvantage))
      // A reward that says nothing of a rollout, or nothing in its group, stands at its mean.
      .map((value, row) => (unscorable[row] ? Number.NaN : zeroIfNaN(value))),
  }));
  return standardised(weightedSum(columns), epsilonAdvantage);
}

/** Advantages limited and cleaned, with the statistics of the rewards that they came from. */
export function describeAdvantages(
  rewards: readonly RewardColumn[],
  relative: readonly number[],
  options: Pick<GroupAdvantageOptions, 'groupSize' | 'advantageClip'>,
): Advantages {
  const { groupSize, advantageClip = Number.POSITIVE_INFINITY } = options;
  const combined = weightedSum(rewards);
  const stds = groupsOf(combined, groupSize).map(unbiasedStd);
  return {
    advantages: relative.map((value) => Math.min(Math.max(zeroIfNaN(value), -advantageClip), advantageClip)),
    rewards: combined,
    statistics: {
      rewardMean: mean(combined),
      rewardStd: mean(stds),
      zeroStdFraction: stds.filter((std) => !(std > TIED)).length / stds.length,
      unscorable: combined.filter(Number.isNaN).length,
      clippedFraction: relative.filter((value) => Math.abs(value) > advantageClip).length / relative.length,
      rewards: Object.fromEntries(
        rewards.map(({ name, values }) => [
          name,
          { mean: mean(values), std: unbiasedStd(values), unscorable: values.filter(Number.isNaN).length },
        ]),
      ),
    },
  };
}

export function groupsOf<T>(rows: readonly T[], groupSize: number): readonly (readonly T[])[] {
  return Array.from({ length: rows.length / groupSize }, (_, g) => rows.slice(g * groupSize, (g + 1) * groupSize));
}

function zeroIfNaN(value: number): number {
  return Number.isNaN(value) ? 0 : value;
}

/** Throws GVU_RL_REWARDS unless the columns are rewards of the same whole groups. */
export function checkRewards(rewards: readonly RewardColumn[], groupSize: number): void {
  const problems: string[] = [];
  const rows = rewards[0]?.values.length ?? 0;
  if (rewards.length === 0) problems.push('there is no reward');
  else if (rewards.every(({ weight }) => weight === 0)) problems.push('every reward has weight 0');
  if (!Number.isInteger(groupSize) || groupSize < 2)
    problems.push(`a group has ${groupSize} rollouts, which leaves nothing to compare`);
  else if (rows === 0 || rows % groupSize !== 0) problems.push(`${rows} rollouts are no whole groups of ${groupSize}`);
  for (const [i, { name, values, weight = 1 }] of rewards.entries()) {
    if (rewards.findIndex((other) => other.name === name) !== i) problems.push(`two rewards are called '${name}'`);
    if (values.length !== rows)
      problems.push(`'${name}' has ${values.length} values, '${rewards[0]?.name}' has ${rows}`);
    if (!Number.isFinite(weight)) problems.push(`'${name}' has weight ${weight}`);
    const infinite = values.findIndex((value) => Math.abs(value) === Number.POSITIVE_INFINITY);
    if (infinite >= 0) problems.push(`'${name}' is ${values[infinite]} for rollout ${infinite}`);
  }
  if (problems.length > 0)
    throw rlErrors.error('GVU_RL_REWARDS', `${problems.join('; ')}.`, {
      hint: 'Give each reward one number for each rollout, and NaN where it cannot judge.',
      details: { problems },
    });
}
