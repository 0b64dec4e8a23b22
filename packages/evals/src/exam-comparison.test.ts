import { expect, test } from 'vitest';
import { compareExams } from './exam-comparison.ts';

const exam = (step: number, scores: Readonly<Record<string, { correct: number; n: number }>>, name = 'shapes') => ({
  step,
  name,
  scores,
});

test('the first and the last time, kind by kind', () => {
  const rows = compareExams([
    exam(0, { retrieval: { correct: 48, n: 80 }, swap: { correct: 5, n: 5 } }),
    exam(50, { retrieval: { correct: 1, n: 70 } }),
    exam(90, { retrieval: { correct: 56, n: 70 } }),
  ]);
  expect(rows.map(({ kind }) => kind)).toEqual(['retrieval', 'swap']);
  const [retrieval, swap] = rows;
  expect(retrieval?.after).toMatchObject({ share: 0.8, n: 70 });
  expect(retrieval?.difference?.mean).toBeCloseTo(0.2, 12);
  expect(retrieval?.difference?.interval[0]).toBeCloseTo(0.0524, 4);
  expect(swap).toMatchObject({ before: { share: 1 }, after: null, difference: null });
});

test('questions answered twice are compared one by one, all kinds together too', () => {
  const answers = (right: number, n = 100) => Array.from({ length: n }, (_, i) => (i < right ? 1 : 0));
  const score = (list: number[]) => ({ correct: list.reduce((sum, a) => sum + a, 0), n: list.length, answers: list });
  const [one, two, all] = compareExams([
    exam(0, { one: score(answers(60)), two: score(answers(80)) }),
    exam(9, { one: score(answers(66)), two: score(answers(80)) }),
  ]);
  // Six questions won, none lost, of 100: (6.5 - 0.5) / 102 +- 1.96 sqrt(7 - 36 / 102) / 102.
  expect(one?.difference?.mean).toBeCloseTo(0.06, 12);
  expect(one?.difference?.interval[0]).toBeCloseTo(6 / 102 - (1.959964 * Math.sqrt(7 - 36 / 102)) / 102, 6);
  expect(two?.difference?.interval[1]).toBeCloseTo((1.959964 * 1) / 102, 6);
  expect(all).toMatchObject({
    kind: 'all questions',
    before: { correct: 140, n: 200 },
    after: { correct: 146, n: 200 },
  });
  expect(all?.difference?.interval[0]).toBeGreaterThan(0);
});

test('exams are kept apart, one taken once has no difference, no questions no row', () => {
  const rows = compareExams([
    exam(0, { a: { correct: 1, n: 2 }, none: { correct: 0, n: 0 } }),
    exam(0, { a: { correct: 2, n: 2 } }, 'other'),
  ]);
  expect(rows.map((row) => [row.exam, row.kind, row.before.share, row.after])).toEqual([
    ['shapes', 'a', 0.5, null],
    ['other', 'a', 1, null],
  ]);
  expect(compareExams([])).toEqual([]);
});
