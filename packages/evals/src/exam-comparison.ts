/**
 * What learning to draw did to reading: the right answers of an exam before and after, kind by kind. The log holds counts and no answers,
 * so the interval of the difference takes them as independent although the questions are the same: it is too wide rather than too narrow.
 */
import type { ExamEvent } from '@gvu/rl';
import type { Interval } from './bootstrap.ts';
import { type Count, differenceInterval, wilsonInterval } from './proportion.ts';

export interface ExamSide extends Count {
  readonly share: number;
  readonly interval: Interval;
}

export interface ExamRow {
  readonly exam: string;
  readonly kind: string;
  readonly before: ExamSide;
  /** Null if the exam was taken once. */
  readonly after: ExamSide | null;
  readonly difference: { readonly mean: number; readonly interval: Interval } | null;
}

/** A row for each kind of question of each exam; kinds of which no question was asked are left out. */
export function compareExams(exams: readonly ExamEvent[]): ExamRow[] {
  const names = [...new Set(exams.map((exam) => exam.name))];
  return names.flatMap((name) => {
    const taken = exams.filter((exam) => exam.name === name);
    const [first, last] = [taken[0], taken.at(-1)];
    if (!first || !last) return [];
    return Object.entries(first.scores).flatMap(([kind, score]): ExamRow[] => {
      const before = sideOf(score);
      if (!before) return [];
      const after = last === first ? null : sideOf(last.scores[kind]);
      const difference = after && {
        mean: after.share - before.share,
        interval: differenceInterval(before, after),
      };
      return [{ exam: name, kind, before, after, difference }];
    });
  });
}

function sideOf(count: Count | undefined): ExamSide | null {
  if (!count || count.n === 0) return null;
  return { ...count, share: count.correct / count.n, interval: wilsonInterval(count) };
}
