import { describe, expect, test } from 'vitest';
import { evaluationEvent } from '../test/run-folder.ts';
import { compareEvaluations, pairDrawings, verdictOf } from './evaluations.ts';

const ones = (count: number): number[] => Array(count).fill(1);
const zeros = (count: number): number[] => Array(count).fill(0);

function compare(
  ...sides: Parameters<typeof evaluationEvent>[1][]
): NonNullable<ReturnType<typeof compareEvaluations>> {
  const [before = {}, after = {}] = sides;
  const comparison = compareEvaluations(evaluationEvent(0, before), evaluationEvent(50, after));
  if (comparison === null) throw new Error('nothing was compared');
  return comparison;
}

describe('the comparison of two evaluations', () => {
  test('pairs by prompt, gives every category the same weight, and says what the interval allows', () => {
    const comparison = compare(
      { one: [...zeros(8), ...ones(4)], two: zeros(24) },
      { one: [...ones(9), ...zeros(3)], two: [...ones(18), ...zeros(6)] },
    );
    expect(comparison.rows.map(({ tag, n, before, after }) => [tag, n, before, after])).toEqual([
      ['one', 12, 4 / 12, 9 / 12],
      ['two', 24, 0, 0.75],
    ]);
    const { before, after, n, difference } = comparison.overall;
    expect([n, before]).toEqual([36, 1 / 6]);
    expect(after).toBeCloseTo(0.75, 12);
    expect(difference.mean).toBeCloseTo(0.75 - 1 / 6, 12);
    expect(comparison.verdict).toMatchObject({
      direction: 'better',
      text: expect.stringMatching(/^better: \+58 points \[\+2\d, \+8\d\]$/),
    });
  });

  test('several drawings of a prompt are one unit', () => {
    const drawings = (scores: readonly number[]) =>
      scores.map((score, i) => ({
        prompt: `prompt ${i >> 1}`,
        tag: 'one',
        sample: i % 2,
        rewards: { detector: score },
        image: null,
      }));
    const first = { ...evaluationEvent(0, {}), drawings: drawings([0, 1, 0, 0, 0, 0, 1, 1]) };
    const last = { ...evaluationEvent(9, {}), drawings: drawings([1, 1, 0, 1, 0, 0, 1, 1]) };
    const comparison = compareEvaluations(first, last);
    expect(comparison?.overall).toMatchObject({ n: 4, drawings: 8, before: 0.375, after: 0.625 });
    // Differences 0.5, 0.5, 0, 0 of the four prompts.
    expect(comparison?.overall.difference.standardError).toBeCloseTo(Math.sqrt(1 / 12 / 4), 12);
  });

  test('what could not be judged on one side counts on neither', () => {
    const comparison = compare({ one: [0, null, 0, 1, 0] }, { one: [1, 1, null, 1, 0] });
    expect(comparison).toMatchObject({ leftOut: 2, overall: { n: 3 } });
    expect(comparison.overall.before).toBeCloseTo(1 / 3, 12);
    expect(comparison.overall.after).toBeCloseTo(2 / 3, 12);
  });

  test('is null when nothing was judged twice', () => {
    const first = evaluationEvent(0, { one: [null, 1] });
    expect(compareEvaluations(first, evaluationEvent(5, { one: [1, null] }))).toBeNull();
    expect(compareEvaluations(first, evaluationEvent(5, { other: [1, 1] }))).toBeNull();
    expect(compareEvaluations(evaluationEvent(0, {}), evaluationEvent(5, {}))).toBeNull();
  });

  test('scores beyond 0 to 1 are no points', () => {
    const comparison = compare({ one: [-3, -2, -4] }, { one: [-1, -1, -1] });
    expect(comparison.scale.unit).toBe('');
    expect(comparison.verdict.text).toMatch(/^no difference can be told: \+2\.00 \[-0\.\d\d, \+\d\.\d\d\]$/);
  });

  test('an interval of points does not go beyond what can be', () => {
    const { interval } = compare({ one: [1, 1, 1, 1] }, { one: [0, 0, 0, 1] }).overall.difference;
    expect(interval?.[0]).toBe(-1);
    expect(interval?.[1]).toBeGreaterThan(-0.75);
  });

  test('matches drawings by what they are, not by place', () => {
    const first = evaluationEvent(0, { one: [0, 1], two: [1] });
    const last = { ...evaluationEvent(5, { one: [1, 0], two: [0] }) };
    const turned = { ...last, drawings: [...last.drawings].reverse() };
    expect(pairDrawings(first, turned)).toEqual(pairDrawings(first, last));
  });
});

describe('the verdict', () => {
  const scale = { factor: 100, unit: ' points' };
  const estimate = { n: 144, mean: 0.162, standardError: 0.021, interval: [0.1211, 0.2031] as const };

  test.each([
    [estimate, 'better: +16.2 points [+12.1, +20.3]'],
    [{ ...estimate, mean: -0.162, interval: [-0.2031, -0.1211] as const }, 'worse: -16.2 points [-20.3, -12.1]'],
    [
      { ...estimate, mean: 0.012, interval: [-0.03, 0.054] as const },
      'no difference can be told: +1.2 points [-3.0, +5.4]',
    ],
    [
      { ...estimate, standardError: 0.12, interval: [0, 0.4] as const },
      'no difference can be told: +16 points [0, +40]',
    ],
    [{ ...estimate, standardError: 0.0021 }, 'better: +16.20 points [+12.11, +20.31]'],
  ])('%#', (given, text) => {
    expect(verdictOf(given, scale).text).toBe(text);
  });

  test('claims nothing without an interval', () => {
    const verdict = verdictOf({ n: 4, mean: 1, standardError: null, interval: null }, scale);
    expect(verdict.direction).toBe('open');
    expect(verdict.text).toContain('+100 points, without an interval');
  });
});
