/** What a run came to, for programs: the numbers that the summary prints. */
import { type Comparison, compareExams, comparisonOf, type ExamRow, readRun } from '@gvu/evals';

export interface RunResult {
  /** Scores before and after by category, with intervals; null before a second evaluation. In the score's own unit. */
  readonly comparison: Comparison | null;
  /** Right answers to questions, before and after. */
  readonly exams: readonly ExamRow[];
}

/** Throws GVU_REPORT_RUN, GVU_LOG_CORRUPT. */
export async function resultOf(folder: string): Promise<RunResult> {
  const { evaluations, exams } = await readRun(folder);
  return { comparison: comparisonOf(evaluations), exams: compareExams(exams) };
}
