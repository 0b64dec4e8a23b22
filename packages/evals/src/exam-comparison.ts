/**
 * What learning to draw did to reading: the right answers of an exam before and after, kind by kind, and of all kinds together. Where the
 * log holds each answer, they are compared question by question; counts alone are taken as independent although the questions are
 * the same, which makes the interval too wide rather than too narrow.
 */
import type { ExamEvent, ExamScore } from '@gvu/rl';
import type { Interval } from './bootstrap.ts';
import { type Count, differenceInterval, pairedInterval, wilsonInterval } from './proportion.ts';

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
    const sameKinds = Object.keys(first.scores).join() === Object.keys(last.scores).join();
    const [scores, later] = [first, last].map((exam) => (sameKinds ? withAll(exam.scores) : exam.scores));
    if (!scores || !later) return [];
    return Object.entries(scores).flatMap(([kind, score]): ExamRow[] => {
      const before = sideOf(score);
      if (!before) return [];
      const after = last === first ? null : sideOf(later[kind]);
      const difference = after && {
        mean: after.share - before.share,
        interval: intervalOf(score, later[kind]) ?? differenceInterval(before, after),
      };
      return [{ exam: name, kind, before, after, difference }];
    });
  });
}

/** All kinds together, after the others, where there are several: only if they are the same at both times. */
const allKinds = 'all questions';

function withAll(scores: ExamEvent['scores']): Readonly<Record<string, ExamScore>> {
  const list = Object.values(scores).filter(({ n }) => n > 0);
  if (list.length < 2) return scores;
  const all = {
    correct: list.reduce((sum, { correct }) => sum + correct, 0),
    n: list.reduce((sum, { n }) => sum + n, 0),
  };
  const answers = list.flatMap((score) => score.answers ?? []);
  return { ...scores, [allKinds]: answers.length === all.n ? { ...all, answers } : all };
}

/** Of the difference, question by question; undefined where the answers are not known or are not to the same questions. */
function intervalOf(before: ExamScore, after: ExamScore | undefined): Interval | undefined {
  if (!before.answers || before.answers.length !== after?.answers?.length) return undefined;
  return pairedInterval(before.answers, after.answers);
}

function sideOf(count: Count | undefined): ExamSide | null {
  if (!count || count.n === 0) return null;
  return { ...count, share: count.correct / count.n, interval: wilsonInterval(count) };
}
