/**
 * The result of a run for a terminal or a pipe: what was run, the table before and after, the verdict, the exam, the curve of the reward.
 * Lines are at most as wide as asked for, unless the columns of a table need more.
 */
import { stripVTControlCharacters } from 'node:util';
import { metricCurve, smoothed } from './curves.ts';
import { compareExams } from './exam-comparison.ts';
import { type Fact, factsOf } from './run-facts.ts';
import { type RunRecord, readRun } from './run-record.ts';
import {
  comparisonNote,
  comparisonOf,
  comparisonTable,
  examTable,
  singleTable,
  type TextTable,
} from './score-table.ts';
import { textChart } from './text-chart.ts';

export interface SummaryOptions {
  /** Characters in a line. */
  readonly width: number;
  /** Whether to write ANSI colour codes. */
  readonly color: boolean;
}

/**
 * The summary of the run in a folder, without a newline at the end.
 * @throws GVU_REPORT_RUN, GVU_LOG_CORRUPT
 */
export async function summaryText(folder: string, options: SummaryOptions): Promise<string> {
  const record = await readRun(folder);
  const blocks = [
    `${paint(plain(record.started.run), 'bold', options)}\n${factLines(factsOf(record), options.width)}`,
    ...scoreBlocks(record, options),
    ...examBlocks(record, options),
    ...curveBlocks(record, options),
    ...record.guards
      .slice(-5)
      .map(({ step, guard, level, message }) =>
        paint(
          wrap(plain(`${level} at step ${step}: ${guard}: ${message}`), options.width).join('\n'),
          'yellow',
          options,
        ),
      ),
  ];
  return blocks.join('\n\n');
}

function scoreBlocks({ evaluations }: RunRecord, options: SummaryOptions): string[] {
  const last = evaluations.at(-1);
  if (!last)
    return [wrap('No evaluation was made: whether the model got better is not known.', options.width).join('\n')];
  const comparison = comparisonOf(evaluations);
  if (!comparison) {
    const table = singleTable(last);
    const text = `One evaluation that counts, at step ${last.step}, by ${plain(last.score)}: there is nothing to compare it with.`;
    return [[...(table ? [layOut(table, options)] : []), ...wrap(text, options.width)].join('\n')];
  }
  const style = { better: 'green', worse: 'red', open: 'yellow' } as const;
  const { verdict } = comparison;
  return [
    `${layOut(comparisonTable(comparison), options)}\n${wrap(plain(comparisonNote(comparison)), options.width).join('\n')}`,
    paint(wrap(verdict.text, options.width).join('\n'), style[verdict.direction], options),
  ];
}

function examBlocks({ exams }: RunRecord, options: SummaryOptions): string[] {
  const rows = compareExams(exams);
  return rows.length === 0 ? [] : [layOut(examTable(rows), options)];
}

function curveBlocks({ steps }: RunRecord, options: SummaryOptions): string[] {
  const chart = textChart(smoothed(metricCurve(steps, 'reward/mean')), { width: options.width });
  return chart.length === 0 ? [] : [['Mean reward by step, smoothed', ...chart].join('\n')];
}

function factLines(facts: readonly Fact[], width: number): string {
  const margin = Math.max(...facts.map(({ label }) => label.length)) + 2;
  return facts
    .map(({ label, text }) => {
      const lines = wrap(plain(text), Math.max(20, width - margin));
      return `${label.padEnd(margin)}${lines.join(`\n${' '.repeat(margin)}`)}`;
    })
    .join('\n');
}

/** Columns two spaces apart, the first to the left and the numbers to the right; a first column that is too wide is cut. */
export function layOut({ head, rows, total }: TextTable, options: SummaryOptions): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => [...plain(cell)]));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const numbers = widths.slice(1).reduce((sum, width) => sum + width + 2, 0);
  const first = Math.min(widths[0] ?? 0, Math.max(12, options.width - numbers));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => {
        if (column > 0) return cell.join('').padStart((widths[column] ?? 0) + 2 + cell.join('').length - cell.length);
        const shown = cell.length > first ? [...cell.slice(0, first - 1), '…'] : cell;
        return shown.join('') + ' '.repeat(first - shown.length);
      })
      .join('')
      .trimEnd(),
  );
  return lines
    .map((line, i) => paint(line, i === 0 ? 'dim' : total && i === lines.length - 1 ? 'bold' : 'none', options))
    .join('\n');
}

/** Lines of at most `width` characters, broken at spaces where there are any. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const joined = line === '' ? word : `${line} ${word}`;
    if (joined.length <= width) {
      line = joined;
      continue;
    }
    if (line !== '') lines.push(line);
    line = word;
    for (; line.length > width; line = line.slice(width)) lines.push(line.slice(0, width));
  }
  lines.push(line);
  return lines;
}

/** Text of a log on one line, without what would steer the terminal or turn the direction of writing. */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}

const codes = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;

function paint(text: string, style: keyof typeof codes | 'none', { color }: SummaryOptions): string {
  if (!color || style === 'none') return text;
  const [on, off] = codes[style];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}
