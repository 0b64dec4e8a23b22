/** The codes of `@gvu/rl`; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core';

export const rlErrors = defineErrors({
  GVU_PROMPTS_EMPTY: 'A prompt file has no prompts, or none to train on.',
  GVU_PROMPTS_FILE: 'A prompt file cannot be read.',
  GVU_PROMPTS_LINES: 'Lines of a prompt file hold no prompt.',
  GVU_RL_OPTIONS: 'Options of an algorithm or of a prompt file contradict each other.',
  GVU_RL_REWARDS: 'The rewards of a batch cannot be turned into advantages.',
  GVU_RUN_CHECKPOINT: 'A checkpoint of a run is damaged or belongs to another model.',
  GVU_RUN_CONFIG: 'The configuration of a run contradicts itself, its folder or its model.',
  GVU_RUN_WRITE: 'A file of a run could not be written.',
  GVU_RL_TENSORS: 'The tensors given to a loss do not fit together, or some that it needs are missing.',
});
