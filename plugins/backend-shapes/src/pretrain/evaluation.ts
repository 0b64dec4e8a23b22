/** What all evaluations of a model share: counts of right answers, and runs over batches of one size. */
import type { Split } from '../world/index.ts';

/** Rows of one run; smaller last batches would each need programs of their own, so all are filled up to it. */
const rowsPerRun = 64;

export interface Score {
  readonly correct: number;
  readonly n: number;
}

export interface EvaluationOptions {
  readonly seed: number;
  readonly split: Split;
}

/** Runs over batches of a fixed size, the last one filled up by its last item, so that one program serves all. */
export async function inBatches<T, R>(
  items: readonly T[],
  run: (batch: readonly T[], from: number) => Promise<readonly R[]>,
) {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += rowsPerRun) {
    const batch = items.slice(from, from + rowsPerRun);
    const last = batch.slice(-1);
    const filled = [...batch, ...Array.from({ length: rowsPerRun - batch.length }, () => last).flat()];
    results.push(...(await run(filled, from)).slice(0, batch.length));
  }
  return results;
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
