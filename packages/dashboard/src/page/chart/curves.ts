/** Small mathematics over curves: values at a step, running averages, curves of few points. */
import type { Curve } from '../data/metric-table.ts';

/** The row whose step is nearest; -1 of an empty curve. */
export function nearestRow({ xs, length }: Curve, step: number): number {
  let [low, high] = [0, length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((xs[middle] ?? 0) < step) low = middle + 1;
    else high = middle;
  }
  const before = low - 1;
  return before >= 0 && step - (xs[before] ?? 0) <= (xs[low] ?? 0) - step ? before : Math.min(low, length - 1);
}

/** NaN where it has no point. */
export function valueAt(curve: Curve, step: number): number {
  const row = nearestRow(curve, step);
  return row >= 0 && curve.xs[row] === step ? (curve.ys[row] ?? Number.NaN) : Number.NaN;
}

/** Exponential running average, unbiased at the beginning; `weight` of the past, from 0 to 1. */
export function smooth({ xs, ys, length }: Curve, weight: number): Curve {
  const out = new Float64Array(length);
  let [sum, total] = [0, 0];
  for (let row = 0; row < length; row++) {
    const y = ys[row] ?? Number.NaN;
    if (Number.isNaN(y)) {
      out[row] = Number.NaN;
      continue;
    }
    sum = weight * sum + (1 - weight) * y;
    total = weight * total + (1 - weight);
    out[row] = sum / total;
  }
  return { xs, ys: out, length };
}

export function curveOf(points: readonly (readonly [x: number, y: number])[]): Curve {
  return {
    xs: Float64Array.from(points, ([x]) => x),
    ys: Float64Array.from(points, ([, y]) => y),
    length: points.length,
  };
}

/** The steps at both ends of all of them; undefined when they have no point. */
export function extent(curves: readonly Curve[]): readonly [from: number, to: number] | undefined {
  const filled = curves.filter(({ length }) => length > 0);
  if (filled.length === 0) return undefined;
  const from = Math.min(...filled.map(({ xs }) => xs[0] ?? 0));
  const to = Math.max(...filled.map(({ xs, length }) => xs[length - 1] ?? 0));
  return from === to ? [from - 1, to + 1] : [from, to];
}
