/**
 * The numbers of a reproduction: means over prompts and seeds with intervals, of one way of training or between two. Prompts are the same
 * in all runs, so that differences are taken prompt by prompt; of two ways of training, over the seeds that both have.
 */
import type { MeanEstimate } from '../bootstrap.ts';
import { type ArmValues, type ComparedRun, changes, differences, judgedArms } from '../compare/compared-runs.ts';
import { possible, sideOf } from '../compare/comparison.ts';
import { type CrossedEstimate, type CrossedUnit, crossedMeans } from '../compare/crossed.ts';
import { type Scale, scaleOf } from '../numbers.ts';

export type Runs = readonly ComparedRun[];

export interface Measure {
  /** Name of the judge. */
  readonly score: string;
  /** Only these categories. */
  readonly tags?: readonly string[];
  /** The share of such intervals that hold; default 0.95. */
  readonly level?: number;
}

/** In points of 100 unless a value lies outside 0 to 1. */
export function scaleFor(runs: Runs, score: string): Scale {
  return scaleOf(
    runs.flatMap(({ record: { evaluations } }) =>
      evaluations.flatMap(({ drawings }) => drawings.flatMap(({ rewards }) => rewards[score] ?? [])),
    ),
  );
}

/** Scores before or after training. */
export function levelOf(runs: Runs, side: 'before' | 'after', measure: Measure): CrossedEstimate {
  const units = valuesOf(runs, measure).flatMap((arm) =>
    arm.units.map((unit) => ({ stratum: unit.tag, bySeed: unit[side] })),
  );
  return estimate(units, runs, measure, [0, 1]);
}

/** What training changed. */
export function changeOf(runs: Runs, measure: Measure): CrossedEstimate {
  return estimate(
    valuesOf(runs, measure).flatMap((arm) => changes(arm)),
    runs,
    measure,
  );
}

/**
 * The change of the overall score as a share of the score before; NaN when that is zero. The interval has the ratios that cannot be
 * refuted: those for which the mean of `change - ratio x before` may be zero (Fieller, "Some problems in interval estimation", JRSS B 16,
 * 1954). It leaves out zero exactly when that of the change does. There is none when the score before may be zero.
 */
export function relativeGainOf(runs: Runs, measure: Measure): MeanEstimate {
  const [before, change] = [levelOf(runs, 'before', measure).overall, changeOf(runs, measure).overall];
  const ratio = before.mean === 0 ? Number.NaN : change.mean / before.mean;
  const unknown = { n: change.n, mean: ratio, standardError: null, interval: null };
  if (change.interval === null || !Number.isFinite(ratio)) return unknown;
  const arms = valuesOf(runs, measure);
  const remainder = (share: number) =>
    crossedMeans(
      arms.flatMap((arm) =>
        changes(arm).map(({ stratum, bySeed }, i) => ({
          stratum,
          bySeed: bySeed.map((value, s) => value - share * (arm.units[i]?.before[s] ?? Number.NaN)),
        })),
      ),
      { level: measure.level ?? 0.95 },
    ).overall;
  const possibleShare = (share: number) => sideOf(remainder(share).interval) === 'open';
  const { standardError } = remainder(ratio);
  if (standardError === null || possibleShare(farthest)) return unknown;
  const end = (limit: number) => (possibleShare(limit) ? limit : boundary(possibleShare, [ratio, limit]));
  return { ...unknown, standardError: standardError / before.mean, interval: [end(-1), end(farthest)] };
}

/** A gain of ten thousand percent. */
const farthest = 100;

/** Where, from a value that is possible to one that is not, it ceases to be. */
function boundary(possibleShare: (share: number) => boolean, [inside, outside]: readonly [number, number]): number {
  let [near, far] = [inside, outside];
  for (let i = 0; i < 50; i++) {
    const middle = (near + far) / 2;
    if (possibleShare(middle)) near = middle;
    else far = middle;
  }
  return near;
}

/** By how much the final scores of `one` exceed those of `other`. */
export function differenceOf(one: Runs, other: Runs, measure: Measure): CrossedEstimate {
  return between(one, other, measure, differences);
}

/** By how much training changed `one` more than `other`. */
export function gainDifferenceOf(one: Runs, other: Runs, measure: Measure): CrossedEstimate {
  return between(one, other, measure, (a, b) => {
    const [mine, theirs] = [changes(a), changes(b)];
    return mine.map(({ stratum, bySeed }, i) => ({
      stratum,
      bySeed: bySeed.map((value, s) => value - (theirs[i]?.bySeed[s] ?? Number.NaN)),
    }));
  });
}

/** Runs as they were between two evaluations, by their steps. */
export function stretchOf(runs: Runs, from: number, to: number): Runs {
  return runs.map((run) => ({
    ...run,
    record: { ...run.record, evaluations: run.record.evaluations.filter(({ step }) => step === from || step === to) },
  }));
}

/** Steps at which all runs were evaluated. */
export function evaluatedSteps(runs: Runs): readonly number[] {
  const [first, ...others] = runs.map(({ record }) => record.evaluations.map(({ step }) => step));
  return (first ?? []).filter((step) => others.every((steps) => steps.includes(step)));
}

export function folders(...lists: readonly Runs[]): readonly string[] {
  return [...new Set(lists.flat().map(({ folder }) => folder))];
}

function between(
  one: Runs,
  other: Runs,
  measure: Measure,
  unitsOf: (one: ArmValues, other: ArmValues) => readonly CrossedUnit[],
): CrossedEstimate {
  const seeds = one.map(({ seed }) => seed).filter((seed) => other.some((run) => run.seed === seed));
  // Two names of their own, so that both sides may come from runs of one name.
  const runs = [one, other].flatMap((list, side) =>
    list.filter(({ seed }) => seeds.includes(seed)).map((run) => ({ ...run, arm: `side ${side}` })),
  );
  const [first, second] = valuesOf(runs, measure);
  const units = first && second ? unitsOf(first, second) : [];
  return estimate(units, runs, measure);
}

function valuesOf(runs: Runs, { score, tags }: Measure): readonly ArmValues[] {
  return judgedArms(runs, score).arms.map(({ arm, units }) => ({
    arm,
    units: tags ? units.filter(({ tag }) => tags.includes(tag)) : units,
  }));
}

function estimate(
  units: readonly CrossedUnit[],
  runs: Runs,
  { score, level = 0.95 }: Measure,
  range: readonly [number, number] = [-1, 1],
): CrossedEstimate {
  const { overall, strata } = crossedMeans(units, { level });
  const scale = scaleFor(runs, score);
  const bounded = (value: MeanEstimate): MeanEstimate => {
    const { interval, ...rest } = possible(value, scale);
    if (interval === null || scale.factor !== 100) return value;
    return { ...rest, interval: [Math.max(range[0], interval[0]), Math.min(range[1], interval[1])] };
  };
  return { overall: bounded(overall), strata: new Map([...strata].map(([tag, value]) => [tag, bounded(value)])) };
}
