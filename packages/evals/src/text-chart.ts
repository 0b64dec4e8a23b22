/**
 * A line chart of characters: Braille patterns (two dots across and four down in each), with the range of the values at the left and the
 * range of the steps below.
 */
import type { CurvePoint } from './curves.ts';
import { brief } from './numbers.ts';

/** Bits of the dots of a Braille pattern, from U+2800: by row, left and right. */
const dots = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;

/** Lines of at most `width` characters; none when fewer than two points have a value or there is no room. */
export function textChart(
  curve: readonly CurvePoint[],
  { width, rows = 5 }: { readonly width: number; readonly rows?: number },
): readonly string[] {
  const points = curve.flatMap(({ step, value }) => (value === null ? [] : [{ step, value }]));
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last || points.length < 2) return [];
  const values = points.map(({ value }) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const labels = [brief(high), brief(low)] as const;
  const margin = Math.max(...labels.map((label) => label.length));
  const columns = Math.min(60, width - margin - 2);
  if (columns < 8) return [];

  const cells = Array.from({ length: rows }, () => new Uint8Array(columns));
  for (let x = 0; x < columns * 2; x++) {
    const value = valueAt(points, first.step + ((last.step - first.step) * x) / (columns * 2 - 1));
    const height = high > low ? (value - low) / (high - low) : 0.5;
    const y = Math.round((1 - height) * (rows * 4 - 1));
    const row = cells[y >> 2];
    if (row) row[x >> 1] = (row[x >> 1] ?? 0) | (dots[y & 3]?.[x & 1] ?? 0);
  }
  const lines = cells.map((row, i) => {
    const label = i === 0 ? labels[0] : i === rows - 1 ? labels[1] : '';
    const axis = label === '' ? '│' : '┤';
    return `${label.padStart(margin)} ${axis}${String.fromCharCode(...[...row].map((bits) => 0x2800 + bits))}`;
  });
  const [from, to] = [String(first.step), String(last.step)];
  const steps = `${from}${to.padStart(columns - from.length)}`;
  return [...lines, `${' '.repeat(margin)} └${'─'.repeat(columns)}`, `${' '.repeat(margin + 2)}${steps}`];
}

/** Linear between the points with a value. */
function valueAt(points: readonly { readonly step: number; readonly value: number }[], step: number): number {
  const after = points.findIndex((point) => point.step >= step);
  const right = points[after < 0 ? points.length - 1 : after];
  const left = points[Math.max(0, (after < 0 ? points.length : after) - 1)];
  if (!left || !right) return Number.NaN;
  if (right.step === left.step) return right.value;
  return left.value + ((right.value - left.value) * (step - left.step)) / (right.step - left.step);
}
