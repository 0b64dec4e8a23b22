/**
 * Confidence intervals for proportions: counts of right answers. Sources: E. B. Wilson, "Probable inference, the law of succession, and
 * statistical inference", JASA 22 (1927); R. G. Newcombe, "Interval estimation for the difference between independent proportions",
 * Statistics in Medicine 17 (1998), method 10. Unlike the normal approximation they hold near 0 and 1 and for small counts.
 */
import { type Interval, normal95 } from './bootstrap.ts';
import { evalsErrors } from './errors.ts';

export interface Count {
  readonly correct: number;
  /** At least 1. */
  readonly n: number;
}

/**
 * Wilson's 95 % interval for the probability behind a count.
 * @throws GVU_EVALS_STATISTICS unless 0 <= correct <= n, both whole, n >= 1
 */
export function wilsonInterval(count: Count): Interval {
  const { correct, n } = count;
  requireCount(count);
  const z2 = normal95 ** 2;
  const p = correct / n;
  const centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const half = (normal95 / (1 + z2 / n)) * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
  // At both ends the formula gives them exactly, but for rounding.
  return [correct === 0 ? 0 : centre - half, correct === n ? 1 : centre + half];
}

/**
 * Newcombe's 95 % interval for the difference after - before of two proportions. It takes the counts as independent; when both are of the
 * same questions, it is wider than it needs to be.
 * @throws GVU_EVALS_STATISTICS
 */
export function differenceInterval(before: Count, after: Count): Interval {
  const [b, a] = [before.correct / before.n, after.correct / after.n];
  const [beforeLow, beforeHigh] = wilsonInterval(before);
  const [afterLow, afterHigh] = wilsonInterval(after);
  return [a - b - Math.hypot(a - afterLow, beforeHigh - b), a - b + Math.hypot(afterHigh - a, b - beforeLow)];
}

/**
 * The 95 % interval for the difference after - before of the same questions, answered twice: 1 or 0 for each, in one order. Only those
 * answered differently bear on it. Source: A. Agresti, Y. Min, "Simple improved confidence intervals for comparing matched proportions",
 * Statistics in Medicine 24 (2005): Wald's interval after half an observation was added to each of the four cells.
 * @throws GVU_EVALS_STATISTICS unless both have the same number of answers, at least one
 */
export function pairedInterval(before: readonly number[], after: readonly number[]): Interval {
  requireCount({ correct: 0, n: before.length });
  if (before.length !== after.length) {
    throw evalsErrors.error('GVU_EVALS_STATISTICS', `${before.length} answers before, ${after.length} after.`, {
      hint: 'Compare the answers to the same questions.',
    });
  }
  const n = before.length + 2;
  const won = after.filter((answer, i) => answer > (before[i] ?? 0)).length + 0.5;
  const lost = after.filter((answer, i) => answer < (before[i] ?? 0)).length + 0.5;
  const centre = (won - lost) / n;
  const half = (normal95 * Math.sqrt(won + lost - (won - lost) ** 2 / n)) / n;
  return [Math.max(-1, centre - half), Math.min(1, centre + half)];
}

function requireCount({ correct, n }: Count): void {
  if (Number.isSafeInteger(correct) && Number.isSafeInteger(n) && n >= 1 && correct >= 0 && correct <= n) return;
  throw evalsErrors.error('GVU_EVALS_STATISTICS', `${correct} of ${n} is no proportion.`, {
    hint: 'Give whole numbers, at least 1 in all, and from none to all of them right.',
  });
}
