/** The codes of `@gvu/rewards`; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core';

export const rewardErrors = defineErrors({
  GVU_REWARD_FAILED: 'A reward threw, or gave something that is no list of rewards.',
  GVU_REWARD_LIKELIHOOD: 'Numbers that should be log-probabilities of a prompt are none.',
});
