/**
 * A section of the report: what it mirrors in the paper, what the paper lacks there, what is seen, and tables and figures. Numbers keep
 * their estimate and their runs, so that page, Markdown and JSON say the same.
 */
import type { MeanEstimate } from '../bootstrap.ts';
import { sideOf } from '../compare/comparison.ts';
import { decimalsOf, fixed, intervalText, type Scale, signed } from '../numbers.ts';
import type { Html } from '../report/html.ts';

export interface Value {
  readonly text: string;
  /** Absent for what is no mean over prompts: metrics, shares, times. */
  readonly estimate?: MeanEstimate;
  /** Folders of the runs that it was computed from. */
  readonly runs: readonly string[];
}

export type Cell = string | Value;

export interface SectionTable {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** Whether the last row sums up the others. */
  readonly total: boolean;
  readonly note: string;
}

export interface Section {
  readonly title: string;
  /** What of the paper it mirrors, and what that shows there. */
  readonly mirrors: string;
  /** What is here and not in the paper. */
  readonly adds: string;
  /** Sentences that follow from intervals. */
  readonly seen: readonly string[];
  readonly tables: readonly SectionTable[];
  /** Each with its alternative text. */
  readonly figures: readonly Html[];
}

export interface ValueSource {
  readonly scale: Scale;
  readonly runs: readonly string[];
}

/** What was read off runs without an estimate; a dash needs none. */
export function measured(text: string, runs: readonly string[]): Cell {
  return text === '-' ? text : { text, runs };
}

/** `+3.1 [+1.2, +5.0]`, without brackets where there is no interval; `-` where nothing is known. */
export function changeValue(estimate: MeanEstimate | undefined, { scale, runs }: ValueSource): Cell {
  if (!estimate || !Number.isFinite(estimate.mean)) return '-';
  const { n, mean, standardError, interval } = estimate;
  const decimals = decimalsOf(standardError, { scale, n });
  const amount = signed(mean * scale.factor, decimals);
  const text = interval ? `${amount} ${intervalText(interval, { scale, decimals })}` : amount;
  return { text, estimate, runs };
}

/** `33.1 [29.0, 37.2]` */
export function levelValue(estimate: MeanEstimate | undefined, { scale, runs }: ValueSource): Cell {
  if (!estimate || !Number.isFinite(estimate.mean)) return '-';
  const { n, mean, standardError, interval } = estimate;
  const decimals = decimalsOf(standardError, { scale, n });
  const amount = fixed(mean * scale.factor, decimals);
  const ends = interval?.map((end) => fixed(end * scale.factor, decimals)).join(', ');
  return { text: ends ? `${amount} [${ends}]` : amount, estimate, runs };
}

/** `33 (+3.1 [+1.2, +5.0])`: where it ended, and what it changed. The estimate is of the change. */
export function resultValue(
  after: MeanEstimate | undefined,
  change: MeanEstimate | undefined,
  source: ValueSource,
): Cell {
  const cell = changeValue(change, source);
  if (typeof cell === 'string' || !after) return cell;
  const { scale } = source;
  const decimals = decimalsOf(change?.standardError ?? after.standardError, { scale, n: after.n });
  return { ...cell, text: `${fixed(after.mean * scale.factor, decimals)} (${cell.text})` };
}

const usual = { above: 'rises', below: 'falls', open: 'shows no change that can be told' } as const;

/** `GvU rises, +3.1 points [+1.2, +5.0].` The word follows from the interval alone. */
export function claim(
  subject: string,
  estimate: MeanEstimate | undefined,
  { scale, words = usual }: { readonly scale: Scale; readonly words?: Readonly<Record<keyof typeof usual, string>> },
): string {
  if (!estimate || !Number.isFinite(estimate.mean)) return `${subject} was not measured.`;
  const { n, mean, standardError, interval } = estimate;
  const decimals = decimalsOf(standardError, { scale, n });
  const amount = `${signed(mean * scale.factor, decimals)}${scale.unit}`;
  const ends = interval ? ` ${intervalText(interval, { scale, decimals })}` : ', no interval';
  return `${subject} ${words[sideOf(interval)]}, ${amount}${ends}.`;
}

export function textOf(cell: Cell): string {
  return typeof cell === 'string' ? cell : cell.text;
}
