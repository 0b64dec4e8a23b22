/** The tables of a run as cells of text, for whoever lays them out: terminal, Markdown, HTML. Every number has the digits it supports. */
import type { EvaluationEvent } from '@gvu/rl';
import { type Comparison, compareEvaluations, type ScoreRow, tagOf } from './evaluations.ts';
import type { ExamRow, ExamSide } from './exam-comparison.ts';
import { decimalsOf, fixed, intervalText, type Scale, scaleOf, signed } from './numbers.ts';

export interface TextTable {
  readonly head: readonly string[];
  /** The first column is text, the others are numbers. */
  readonly rows: readonly (readonly string[])[];
  /** Whether the last row sums up the others. */
  readonly total: boolean;
}

/** The first and the last evaluation, or null when there are not two that can be compared. */
export function comparisonOf(evaluations: readonly EvaluationEvent[]): Comparison | null {
  const [first, last] = [evaluations[0], evaluations.at(-1)];
  return first && last && first !== last ? compareEvaluations(first, last) : null;
}

export function comparisonTable({ rows, overall, scale }: Comparison): TextTable {
  return {
    head: ['category', 'n', 'before', 'after', 'difference', '95 % interval'],
    rows: [...rows, overall].map((row) => scoreCells(row, scale)),
    total: true,
  };
}

function scoreCells({ tag, n, before, after, difference }: ScoreRow, scale: Scale): string[] {
  const { standardError, mean, interval } = difference;
  const decimals = decimalsOf(standardError, { scale, n });
  return [
    tag,
    String(n),
    fixed(before * scale.factor, decimals),
    fixed(after * scale.factor, decimals),
    signed(mean * scale.factor, decimals),
    intervalText(interval, { scale, decimals }),
  ];
}

/** The scores of an evaluation that cannot be compared with another one; null when it has none. */
export function singleTable({ score, byTag, overall, drawings }: EvaluationEvent): TextTable | null {
  const entries = Object.entries(byTag).map(([tag, { n, mean }]) => ({ tag, n, value: mean[score] ?? null }));
  if (entries.length === 0) return null;
  entries.push({ tag: 'overall', n: drawings.length, value: overall[score] ?? null });
  const scale = scaleOf(drawings.flatMap(({ rewards }) => rewards[score] ?? []));
  return {
    head: ['category', 'n', 'score'],
    rows: entries.map(({ tag, n, value }) => [
      tagOf({ tag }),
      String(n),
      fixed(value === null ? null : value * scale.factor, decimalsOf(null, { scale, n })),
    ]),
    total: true,
  };
}

const points: Scale = { factor: 100, unit: ' points' };

export function examTable(rows: readonly ExamRow[]): TextTable {
  return {
    head: ['exam', 'n', 'before', 'after', 'difference', '95 % interval'],
    rows: rows.map(({ exam, kind, before, after, difference }) => {
      const decimals = decimalsOf(null, { scale: points, n: before.n });
      return [
        `${exam}: ${kind}`,
        String(before.n),
        sideText(before),
        after ? sideText(after) : '-',
        difference ? signed(difference.mean * 100, decimals) : '-',
        intervalText(difference?.interval ?? null, { scale: points, decimals }),
      ];
    }),
    total: false,
  };
}

function sideText({ share, interval, n }: ExamSide): string {
  const decimals = decimalsOf(null, { scale: points, n });
  return `${fixed(share * 100, decimals)} [${interval.map((end) => fixed(end * 100, decimals)).join(', ')}]`;
}

/** What the reader should know of the table's numbers. */
export function comparisonNote({ score, scale, steps, leftOut, overall }: Comparison): string {
  const unit = scale.unit === '' ? '' : ', in points of 100';
  const drawings = overall.drawings === overall.n ? '' : ` (${overall.drawings} drawings)`;
  const left = leftOut === 0 ? '' : ` ${leftOut} drawings without a score on both sides are left out.`;
  return `Score by ${score} on held-out prompts${unit}, at step ${steps[0]} and step ${steps[1]}; n = prompts${drawings}. Intervals are for each row by itself: paired bootstrap by prompt, 10,000 resamples. The overall score is the mean of the categories.${left}`;
}
