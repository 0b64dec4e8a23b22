/** The codes of `@gvu/rewards`; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core';

export const rewardErrors = defineErrors({
  GVU_REWARD_FAILED: 'A reward threw, or gave something that is no list of rewards.',
  GVU_REWARD_HTTP: 'A judge behind HTTP could not be asked, or gave something that is no list of rewards.',
  GVU_REWARD_INPUT: 'A rollout lacks something that a reward looks at, or has it in a broken form.',
  GVU_REWARD_LIKELIHOOD: 'Numbers that should be log-probabilities of a prompt are none.',
  GVU_REWARD_MODEL: 'A checkpoint is not of the kind that a reward works with.',
  GVU_REWARD_REPRESENTATION: 'A reward is to show the judge images in a form that it cannot read.',
  GVU_REWARD_RUNTIME: 'A reward that runs a network was made without a runtime.',
});
