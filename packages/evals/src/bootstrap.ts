/**
 * Confidence intervals for the mean difference of paired scores, by the bootstrap, stratified: the overall score is the mean of the
 * strata's means (as GenEval's overall is the mean of its tasks), however many prompts each has.
 *
 * The interval is the percentile interval with two corrections for small strata: n - 1 values are drawn of n, which makes the bootstrap's
 * variance unbiased (Rao and Wu, "Resampling inference with complex survey data", JASA 83, 1988), and it is stretched about the mean by
 * t / z, with the degrees of freedom of Welch and Satterthwaite (as Hesterberg's expanded percentile interval, "What teachers should know
 * about the bootstrap", The American Statistician 69, 2015). On simulated differences (right/wrong judgements, normal, exponential; 5 to
 * 24 pairs a stratum, 1 to 11 strata) it covered 90 to 95 %, the plain percentile interval 83 to 94 %, BCa 83 to 98 %. The studentised
 * bootstrap is of no use here: too many resamples of right/wrong judgements have no spread to divide by.
 */
import { fillIntegers, type RandomAddress, randomStream } from '@gvu/core';
import { evalsErrors } from './errors.ts';

export type Interval = readonly [low: number, high: number];

/** One pair: of what differs only in the treatment, such as the drawings of one prompt before and after training. */
export interface Pair {
  readonly stratum: string;
  /** After minus before. Finite. */
  readonly difference: number;
}

export interface MeanEstimate {
  /** Pairs. */
  readonly n: number;
  readonly mean: number;
  /** Null when it cannot be known: a stratum of fewer than three pairs, or no spread at all. */
  readonly standardError: number | null;
  /** 95 %. Null when the standard error is. */
  readonly interval: Interval | null;
}

export interface StratifiedEstimate {
  /** Of the mean of the strata's means. */
  readonly overall: MeanEstimate;
  /** In the order in which they first occur. */
  readonly strata: ReadonlyMap<string, MeanEstimate>;
}

export interface BootstrapOptions {
  /** Integer from 0; the result is a pure function of it and the pairs. */
  readonly seed: number;
  /** Default 10,000. */
  readonly resamples?: number;
}

/** Two pairs say next to nothing of their spread: a t interval would be thirteen standard errors wide to each side. */
const fewest = 3;

/** The two-sided 95 % quantile of the standard normal distribution. */
export const normal95 = 1.959963984540054;

/**
 * The mean difference with its interval, overall and of each stratum.
 * @throws GVU_EVALS_STATISTICS for no pairs, a difference that is not finite, fewer than 100 resamples
 */
export function pairedBootstrap(pairs: readonly Pair[], options: BootstrapOptions): StratifiedEstimate {
  const { seed, resamples = 10_000 } = options;
  requireUsable(pairs, resamples);
  const strata = new Map<string, number[]>();
  for (const { stratum, difference } of pairs) {
    const values = strata.get(stratum);
    if (values) values.push(difference);
    else strata.set(stratum, [difference]);
  }

  const stream = randomStream(seed, 'evals/bootstrap');
  const estimates = new Map<string, MeanEstimate>();
  const overallMeans = new Float64Array(resamples);
  const parts: { readonly mean: number; readonly variance: number; readonly n: number }[] = [];
  for (const [stratum, values] of strata) {
    const n = values.length;
    const mean = meanOf(values);
    const means = resampledMeans(values, { resamples, address: stream.at(parts.length) });
    const weight = 1 / strata.size;
    for (let r = 0; r < resamples; r++) overallMeans[r] = (overallMeans[r] ?? 0) + weight * (means[r] ?? 0);
    const part = { mean, variance: n >= fewest ? varianceOf(values) / n : Number.NaN, n };
    estimates.set(stratum, estimateOf([part], means));
    parts.push(part);
  }
  return { overall: estimateOf(parts, overallMeans), strata: estimates };
}

/** Means of n - 1 values drawn from `values` with replacement. [resamples] */
function resampledMeans(
  values: readonly number[],
  { resamples, address }: { resamples: number; address: RandomAddress },
): Float64Array {
  const n = values.length;
  const means = new Float64Array(resamples);
  if (n < fewest) return means;
  const drawn = new Int32Array(resamples * (n - 1));
  fillIntegers(drawn, address, { low: 0, high: n });
  for (let r = 0, at = 0; r < resamples; r++) {
    let sum = 0;
    for (let i = 0; i < n - 1; i++) sum += values[drawn[at++] ?? 0] ?? 0;
    means[r] = sum / (n - 1);
  }
  return means;
}

/** The estimate of the mean of strata, from what is known of each and the resampled means of the whole. */
function estimateOf(
  parts: readonly { readonly mean: number; readonly variance: number; readonly n: number }[],
  resampled: Float64Array,
): MeanEstimate {
  const n = parts.reduce((sum, part) => sum + part.n, 0);
  const mean = meanOf(parts.map((part) => part.mean));
  const variances = parts.map((part) => part.variance / parts.length ** 2);
  const variance = variances.reduce((sum, value) => sum + value, 0);
  // Not a number: a stratum is too small. Zero up to rounding: all pairs differ alike, which does not prove that others would.
  if (!(variance > (1e-12 * Math.abs(mean)) ** 2)) return { n, mean, standardError: null, interval: null };
  const freedom = variance ** 2 / variances.reduce((sum, value, h) => sum + value ** 2 / ((parts[h]?.n ?? 0) - 1), 0);
  const stretch = studentQuantile95(freedom) / normal95;
  const sorted = resampled.sort();
  return {
    n,
    mean,
    standardError: Math.sqrt(variance),
    interval: [
      mean + stretch * (quantileOf(sorted, 0.025) - mean),
      mean + stretch * (quantileOf(sorted, 0.975) - mean),
    ],
  };
}

/**
 * The two-sided 95 % quantile of Student's t distribution from 2 degrees of freedom on, by the expansion in Abramowitz and Stegun,
 * Handbook of Mathematical Functions, 26.7.5: 0.7 % too small at 2 degrees, 0.01 % at 5.
 */
export function studentQuantile95(freedom: number): number {
  const z = normal95;
  return (
    z +
    (z ** 3 + z) / (4 * freedom) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * freedom ** 3) +
    (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / (92160 * freedom ** 4)
  );
}

/** Between neighbouring order statistics, linearly. */
function quantileOf(sorted: Float64Array, probability: number): number {
  const place = probability * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below] ?? Number.NaN;
  return low + (place - below) * ((sorted[below + 1] ?? low) - low);
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Unbiased. */
function varianceOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
}

function requireUsable(pairs: readonly Pair[], resamples: number): void {
  const problems: string[] = [];
  if (pairs.length === 0) problems.push('there are no pairs');
  const bad = pairs.findIndex((pair) => !Number.isFinite(pair.difference));
  if (bad >= 0) problems.push(`the difference of pair ${bad} is ${pairs[bad]?.difference}`);
  if (!Number.isInteger(resamples) || resamples < 100) problems.push(`resamples is ${resamples}`);
  if (problems.length === 0) return;
  throw evalsErrors.error('GVU_EVALS_STATISTICS', `No interval can be computed: ${problems.join('; ')}.`, {
    hint: 'Give at least one pair, finite differences and at least 100 resamples.',
  });
}
