/** The codes of `@gvu/evals`; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core';

export const evalsErrors = defineErrors({
  GVU_BENCHMARK_FILE: 'A file of a benchmark cannot be read, or is not what it should be.',
  GVU_BENCHMARK_JUDGE: 'A judge cannot do what a benchmark needs, or failed.',
  GVU_BENCHMARK_OPTIONS: 'Options of an evaluation contradict each other or the benchmark.',
  GVU_BENCHMARK_RESULT: 'Two results of benchmarks cannot be compared.',
  GVU_EVALS_COMPARISON: 'Runs were to be compared that do not belong together, or are not done.',
  GVU_EVALS_STATISTICS: 'Numbers were given of which a statistic cannot be computed.',
  GVU_REPORT_RUN: 'There is no run in the folder that a report was asked for.',
  GVU_REPORT_WRITE: 'The operating system refused to write a report.',
});
