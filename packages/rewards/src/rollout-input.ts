/** What a reward looks at, out of a rollout that may lack it. */
import { rewardErrors } from './errors.ts';
import type { Rollout } from './reward.ts';

/** A field of rollout `row` that the reward has declared in its `inputs`. Throws GVU_REWARD_INPUT when it is not there. */
export function rolloutInput<Field extends 'tokens' | 'pixels'>(
  rollout: Rollout,
  field: Field,
  { reward, row }: { readonly reward: string; readonly row: number },
): NonNullable<Rollout[Field]> {
  const value = rollout[field];
  if (value == null)
    throw rewardErrors.error(
      'GVU_REWARD_INPUT',
      `Rollout ${row} (${JSON.stringify(rollout.prompt)}) has no ${field}, which the reward '${reward}' looks at.`,
      { hint: "Give rollouts everything that the reward's `inputs` lists." },
    );
  return value;
}
