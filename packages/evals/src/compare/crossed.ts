/**
 * The mean of scores that are crossed: the same prompts for every seed of training. Both are samples, so that the interval must hold for
 * other prompts and for other seeds. The overall score is the mean of the strata's means, however many prompts each has.
 *
 *   y[s, h, p] = mean + seed[s] + prompt[h, p] + rest[s, h, p]
 *   variance of the mean = (between seeds) + (between prompts, over seeds) - (rest, which both contain)
 *
 * The two parts are known with very different certainty, so each is stretched by the quantile of its own degrees of freedom before they are
 * added (Howe, "Approximate confidence limits on the mean of X + Y", JASA 69, 1974). Joint degrees of freedom after Satterthwaite held only 88 %
 * of the time with two seeds, for they are many whenever two seeds happen to agree. A bootstrap over three seeds would be far too narrow
 * too: it can only ever draw these three. On simulated scores (normal and right/wrong; 2 to 5 seeds) this covers 95 to 97 % where the
 * seed matters, and up to 99 % where it does not.
 */
import type { MeanEstimate } from '../bootstrap.ts';
import { studentQuantile } from './student.ts';

/** One prompt's score by each seed; finite, in one order of the seeds for all prompts. */
export interface CrossedUnit {
  readonly stratum: string;
  readonly bySeed: readonly number[];
}

export interface CrossedEstimate {
  /** Of the mean of the strata's means. */
  readonly overall: MeanEstimate;
  /** In the order in which they first occur. */
  readonly strata: ReadonlyMap<string, MeanEstimate>;
}

/** `level`: the share of such intervals that hold, in (0, 1). With one seed, intervals are over prompts alone. */
export function crossedMeans(units: readonly CrossedUnit[], { level = 0.95 } = {}): CrossedEstimate {
  const strata = new Map<string, (readonly number[])[]>();
  for (const { stratum, bySeed } of units) {
    const rows = strata.get(stratum);
    if (rows) rows.push(bySeed);
    else strata.set(stratum, [bySeed]);
  }
  return {
    overall: estimate([...strata.values()], level),
    strata: new Map([...strata].map(([stratum, rows]) => [stratum, estimate([rows], level)])),
  };
}

/** Rows [prompts][seeds] of each stratum. */
function estimate(strata: readonly (readonly (readonly number[])[])[], level: number): MeanEstimate {
  const n = strata.reduce((sum, rows) => sum + rows.length, 0);
  const seeds = strata[0]?.[0]?.length ?? 0;
  const seedMeans = Array.from({ length: seeds }, (_, s) =>
    mean(strata.map((rows) => mean(rows.map((row) => row[s] ?? Number.NaN)))),
  );
  const centre = mean(seedMeans);
  const unknown = { n, mean: centre, standardError: null, interval: null };
  if (strata.length === 0 || strata.some((rows) => rows.length < 3)) return unknown;

  const share = 1 / strata.length ** 2;
  const prompts = strata.map((rows) => (share * variance(rows.map(mean))) / rows.length);
  const rest = strata.map((rows) => (seeds < 2 ? 0 : (share * interaction(rows)) / (seeds * rows.length)));
  const betweenSeeds = seeds < 2 ? 0 : variance(seedMeans) / seeds;
  const betweenPrompts = sum(prompts);
  const total = Math.max(betweenSeeds + betweenPrompts - sum(rest), betweenSeeds, betweenPrompts);
  // Zero up to rounding: all differ alike, which does not prove that others would.
  if (!(total > (1e-12 * Math.abs(centre)) ** 2)) return unknown;

  const quantile = (freedom: number) => studentQuantile(level, Math.max(1, freedom));
  const promptFreedom = betweenPrompts ** 2 / sum(prompts.map((part, h) => part ** 2 / ((strata[h]?.length ?? 0) - 1)));
  const seedPart = seeds < 2 ? 0 : quantile(seeds - 1) ** 2 * betweenSeeds;
  const promptPart = betweenPrompts === 0 ? 0 : quantile(promptFreedom) ** 2 * Math.max(0, betweenPrompts - sum(rest));
  const reach = Math.sqrt(seedPart + promptPart);
  return { n, mean: centre, standardError: Math.sqrt(total), interval: [centre - reach, centre + reach] };
}

/** The variance that neither a seed's nor a prompt's mean explains. */
function interaction(rows: readonly (readonly number[])[]): number {
  const seeds = rows[0]?.length ?? 0;
  const whole = mean(rows.map(mean));
  const columns = Array.from({ length: seeds }, (_, s) => mean(rows.map((row) => row[s] ?? Number.NaN)));
  const squares = rows.flatMap((row) => {
    const own = mean(row);
    return row.map((value, s) => (value - own - (columns[s] ?? 0) + whole) ** 2);
  });
  return sum(squares) / ((rows.length - 1) * (seeds - 1));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

/** Unbiased. */
function variance(values: readonly number[]): number {
  const centre = mean(values);
  return sum(values.map((value) => (value - centre) ** 2)) / (values.length - 1);
}
