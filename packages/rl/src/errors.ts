/** The codes of `@gvu/rl`; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core';

export const rlErrors = defineErrors({
  GVU_RL_OPTIONS: 'Options of an algorithm contradict each other.',
  GVU_RL_REWARDS: 'The rewards of a batch cannot be turned into advantages.',
  GVU_RL_TENSORS: 'The tensors given to a loss do not fit together, or some that it needs are missing.',
});
