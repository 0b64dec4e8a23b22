/** The codes of `@gvu/cli`; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core';

export const cliErrors = defineErrors({
  GVU_CLI_CHECKPOINT: 'A run has no checkpoint with an adapter.',
  GVU_CLI_CONTROL: 'A run was to be steered that this process does not train.',
  GVU_CLI_FILE: 'A file named on the command line cannot be read, or cannot be written.',
  GVU_CLI_IMAGE: 'A file is not an image that can be read.',
  GVU_CLI_RUN_EXISTS: 'There is a run already where a new one should go.',
  GVU_CLI_RUN_MISSING: 'There is no run at a place.',
  GVU_CLI_SERVER: 'The process of the server that a run is to have ended before it listened.',
  GVU_CLI_USAGE: 'Arguments of the command contradict each other, or one of them makes no sense.',
});
