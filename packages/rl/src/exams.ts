/**
 * Exams: how well a model reads, as counts of right answers. They are taken before and after training, to see whether learning to
 * draw has cost any understanding.
 */
import { contributionPoint } from '@gvu/core';
import type { ActiveAdapter, Backend } from '@gvu/models';

export interface Exam {
  readonly name: string;
  readonly version: string;
  /** Counts by the name of the question's kind; a pure function of the weights and the seed. */
  take(
    backend: Backend,
    options: {
      readonly adapter?: ActiveAdapter | undefined;
      readonly seed: number;
      /** Questions of each kind. */
      readonly tests: number;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<Readonly<Record<string, ExamScore>>>;
}

export interface ExamScore {
  readonly correct: number;
  readonly n: number;
  /** For each question 1 or 0, in an order that does not change: what is compared pair by pair is known far better. */
  readonly answers?: readonly number[];
}

export const exams = contributionPoint<Exam>({ kind: 'exams', description: 'Tests of how well a model reads.' });
