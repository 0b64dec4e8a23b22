/** What all evaluations of a model share: counts of right answers, and runs over batches of one size. */
import { inChunks } from '../model/chunks.ts';
import type { Split } from '../world/index.ts';

/** Rows of one run. */
const rowsPerRun = 64;

export interface Score {
  readonly correct: number;
  readonly n: number;
  /** 1 or 0 for each question, where they are kept. */
  readonly answers?: readonly number[];
}

/** The score of answers that were right or not, with each of them. */
export function scoreOf(answers: readonly boolean[]): Required<Score> {
  return { correct: count(answers, Boolean), n: answers.length, answers: answers.map(Number) };
}

export interface EvaluationOptions {
  readonly seed: number;
  readonly split: Split;
}

/** Runs over batches of one size. */
export function inBatches<T, R>(
  items: readonly T[],
  run: (batch: readonly T[], from: number) => Promise<readonly R[]>,
): Promise<R[]> {
  return inChunks(items, [rowsPerRun], run);
}

/** Index of the greatest value; the first where several tie. */
export function argmax(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > (values[best] ?? Number.NEGATIVE_INFINITY) ? i : best), 0);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
}

/** How many items pass a test. */
export function count<T>(items: readonly T[], test: (item: T, index: number) => boolean): number {
  return items.filter(test).length;
}
