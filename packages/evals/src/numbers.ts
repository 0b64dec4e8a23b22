/**
 * Numbers for people, with no more digits than they support: a value that is known to a standard error is given to the place of the
 * error's second digit, and so is its interval. Scores from 0 to 1 are given in points of a hundred.
 */
import type { Interval } from './bootstrap.ts';

/** How the values of a score are shown. */
export interface Scale {
  readonly factor: number;
  /** Unit of a difference, with the space before it, if there is one. */
  readonly unit: string;
}

const points: Scale = { factor: 100, unit: ' points' };
const plain: Scale = { factor: 1, unit: '' };

/** Points if all of the values lie from 0 to 1, otherwise as they are. */
export function scaleOf(values: readonly number[]): Scale {
  return values.every((value) => value >= 0 && value <= 1) ? points : plain;
}

/** Decimals that a number with this standard error supports, at most 4. With the error unknown: as for one of 1/sqrt(n) on a scale of 1. */
export function decimalsOf(standardError: number | null, { scale, n }: { scale: Scale; n: number }): number {
  const error = (standardError ?? 1 / Math.sqrt(Math.max(1, n))) * scale.factor;
  return Math.min(4, Math.max(0, 1 - Math.floor(Math.log10(error))));
}

/** Never `-0`; `-` if there is no number. */
export function fixed(value: number | null, decimals: number): string {
  if (value === null || !Number.isFinite(value)) return '-';
  const text = value.toFixed(decimals);
  return /^-[0.]*$/.test(text) ? text.slice(1) : text;
}

/** With its sign even when it rounds to 0; without one only when it is 0. */
export function signed(value: number | null, decimals: number): string {
  if (value === null || !Number.isFinite(value)) return '-';
  return `${value > 0 ? '+' : value < 0 ? '-' : ''}${Math.abs(value).toFixed(decimals)}`;
}

/** `[low, high]`, or `-` if there is none. */
export function intervalText(
  interval: Interval | null,
  { scale, decimals }: { scale: Scale; decimals: number },
): string {
  if (interval === null) return '-';
  return `[${interval.map((end) => signed(end * scale.factor, decimals)).join(', ')}]`;
}

/** Three significant digits, for quantities without a known error, such as points of a curve. */
export function brief(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return '-';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(2).replace('e+', 'e');
  return String(Number(value.toPrecision(3)));
}

/** `9 min 12 s`. */
export function duration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return 'unknown time';
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
