/** The codes of `@gvu/rl`; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core';

export const rlErrors = defineErrors({
  GVU_RL_REWARDS: 'The rewards of a batch cannot be turned into advantages.',
});
