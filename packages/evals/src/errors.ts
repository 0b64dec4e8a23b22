/** The codes of `@gvu/evals`; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core';

export const evalsErrors = defineErrors({
  GVU_EVALS_STATISTICS: 'Numbers were given of which a statistic cannot be computed.',
  GVU_REPORT_RUN: 'There is no run in the folder that a report was asked for.',
  GVU_REPORT_WRITE: 'The operating system refused to write a report.',
});
