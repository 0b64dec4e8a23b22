/**
 * Mean and standard deviation of samples in which NaN marks a missing value. Deviations are taken from the first value, so equal
 * samples have exactly their value as mean and exactly 0 as deviation: a tied group then gets advantages of exactly 0.
 */

/** The values that are there. */
function present(values: readonly number[]): readonly number[] {
  return values.filter((value) => !Number.isNaN(value));
}

/** The mean of the values that are there; NaN when none is. */
export function mean(values: readonly number[]): number {
  const list = present(values);
  const [first = Number.NaN] = list;
  return first + list.reduce((sum, value) => sum + (value - first), 0) / list.length;
}

/** The standard deviation with Bessel's correction (n - 1) of the values that are there; NaN when fewer than two are. */
export function unbiasedStd(values: readonly number[]): number {
  const list = present(values);
  if (list.length < 2) return Number.NaN;
  const centre = mean(list);
  return Math.sqrt(list.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (list.length - 1));
}

/** The values moved to mean 0 and scaled by their standard deviation + epsilon; NaN where there is none. */
export function standardised(values: readonly number[], epsilon: number): readonly number[] {
  const centre = mean(values);
  const scale = unbiasedStd(values) + epsilon;
  return values.map((value) => (value - centre) / scale);
}

/** Pearson's correlation of the pairs of which both values are there; NaN for fewer than three, or where one side does not vary. */
export function correlation(a: readonly number[], b: readonly number[]): number {
  const pairs = a.flatMap((x, i) => {
    const y = b[i] ?? Number.NaN;
    return Number.isNaN(x) || Number.isNaN(y) ? [] : [[x, y] as const];
  });
  if (pairs.length < 3) return Number.NaN;
  const [xMean, yMean] = [mean(pairs.map(([x]) => x)), mean(pairs.map(([, y]) => y))];
  const sum = (of: (x: number, y: number) => number) =>
    pairs.reduce((total, [x, y]) => total + of(x - xMean, y - yMean), 0);
  const spread = Math.sqrt(sum((x) => x * x) * sum((_, y) => y * y));
  return spread > 0 ? Math.max(-1, Math.min(1, sum((x, y) => x * y) / spread)) : Number.NaN;
}
