/**
 * Asks several rewards about the same rollouts, and keeps a failing one from ending a run that does not want to end.
 *
 * onError: `fail` rejects. `skip-sample` asks again about each rollout alone, and those that still fail are unscorable (NaN), so that
 * one broken image does not cost its batch. `zero` does the same and gives them 0. Both are counted, never silent. A reward that says
 * itself on which rollouts it failed is not asked again.
 */
import { rewardErrors } from './errors.ts';
import { type Gate, gate } from './gate.ts';
import type { Reward, RewardScores, Rollout } from './reward.ts';

export interface RewardEntry {
  readonly reward: Reward;
  /** What it is called beside others of its kind; by default the reward's own name. */
  readonly name?: string | undefined;
  /** Factor in the sum of rewards; 0 = only reported. */
  readonly weight: number;
  readonly onError: 'fail' | 'skip-sample' | 'zero';
  /** By what another of the rewards says. Gates look at what rewards said before any gate. */
  readonly gate?: Gate | undefined;
}

/** What one reward said, in the form that advantages are made of. */
export interface ScoredReward extends RewardScores {
  readonly name: string;
  readonly version: string;
  readonly weight: number;
  /** Rollouts that it failed on. */
  readonly failures: number;
  /** The first of these failures. */
  readonly firstFailure?: unknown;
  /** Rollouts that its gate did not let through; absent without a gate. */
  readonly gated?: number;
}

/**
 * The rewards ask at the same time; results are in the order of the entries. Rejects with GVU_REWARD_FAILED when a reward fails whose
 * `onError` is `fail`, and with the signal's reason when it was aborted; the other rewards are then aborted too.
 */
export async function scoreRollouts(
  entries: readonly RewardEntry[],
  rollouts: readonly Rollout[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<readonly ScoredReward[]> {
  const failed = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal;
  const pending = entries.map(async (entry) => {
    try {
      return await scoreOne(entry, rollouts, signal);
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  });
  // Nothing may still be running when this returns.
  await Promise.allSettled(pending);
  signal.throwIfAborted();
  const scores = await Promise.all(pending);
  return scores.map((score, i) => gated(score, scores, entries[i]?.gate));
}

/** What metrics call a reward of a list. */
export function entryName({ reward, name }: Pick<RewardEntry, 'reward' | 'name'>): string {
  return name ?? reward.name;
}

function gated(score: ScoredReward, scores: readonly ScoredReward[], by: Gate | undefined): ScoredReward {
  if (!by) return score;
  const guard = scores.find(({ name }) => name === by.by);
  if (!guard) throw new RangeError(`There is no reward '${by.by}' to gate '${score.name}' by.`);
  const values = gate(score.values, guard.values, by);
  return { ...score, values, gated: guard.values.filter((value) => value < by.least).length };
}

async function scoreOne(entry: RewardEntry, rollouts: readonly Rollout[], signal: AbortSignal): Promise<ScoredReward> {
  const { reward, weight, onError } = entry;
  const { version } = reward;
  const name = entryName(entry);
  const substitute = onError === 'zero' ? 0 : Number.NaN;
  try {
    const { failed, ...scores } = await ask(reward, rollouts, signal);
    if (!failed || failed.size === 0) return { name, version, weight, failures: 0, ...scores };
    const [firstFailure] = failed.values();
    if (onError === 'fail')
      throw failure(
        reward,
        `failed on ${failed.size} of ${rollouts.length} rollouts: ${reasonOf(firstFailure)}`,
        firstFailure,
      );
    const values = scores.values.map((value, row) => (failed.has(row) ? substitute : value));
    return { name, version, weight, ...scores, values, failures: failed.size, firstFailure };
  } catch (firstFailure) {
    signal.throwIfAborted();
    if (onError === 'fail') throw firstFailure;
    let failures = 0;
    const values: number[] = [];
    for (const rollout of rollouts) {
      try {
        const { values: alone } = await ask(reward, [rollout], signal);
        values.push(...alone);
      } catch {
        signal.throwIfAborted();
        failures++;
        values.push(substitute);
      }
    }
    return { name, version, weight, values, failures, firstFailure };
  }
}

/** The answer of a reward, which is as little trusted as any plugin's. Rejects with GVU_REWARD_FAILED. */
async function ask(reward: Reward, rollouts: readonly Rollout[], signal: AbortSignal): Promise<RewardScores> {
  let scores: RewardScores;
  try {
    scores = await reward.score(rollouts, { signal });
  } catch (cause) {
    throw failure(reward, `failed: ${reasonOf(cause)}`, cause);
  }
  const { values } = scores;
  if (values.length !== rollouts.length)
    throw failure(reward, `gave ${values.length} values for ${rollouts.length} rollouts`);
  const [low, high] = reward.range;
  const outside = values.findIndex(
    (value) => !Number.isNaN(value) && !(Number.isFinite(value) && value >= low && value <= high),
  );
  if (outside >= 0)
    throw failure(reward, `gave ${values[outside]} for rollout ${outside}, outside its range of ${low} to ${high}`);
  return scores;
}

function failure({ name }: Reward, problem: string, cause?: unknown): Error {
  return rewardErrors.error('GVU_REWARD_FAILED', `The reward '${name}' ${problem}.`, {
    hint: 'Set its `onError` to skip-sample or zero to train on without these rollouts.',
    cause,
  });
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
