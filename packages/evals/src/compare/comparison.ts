/**
 * Several ways of training side by side: scores by category, each arm as every judge sees it, what it cost, and a verdict that says
 * only what the intervals allow. Comparisons of pairs are made at a level that keeps all of them together at 95 % (Bonferroni).
 */
import { isRecord } from '@gvu/core';
import type { Interval, MeanEstimate } from '../bootstrap.ts';
import { decimalsOf, intervalText, type Scale, scaleOf, signed } from '../numbers.ts';
import {
  type ArmValues,
  type ComparedRun,
  changes,
  checkComparable,
  differences,
  examChanges,
  type JudgedArms,
  judgedArms,
  judgesOf,
  seedsOf,
} from './compared-runs.ts';
import { crossedMeans } from './crossed.ts';

export interface ArmResult {
  readonly arm: string;
  /** Change of the score by category, and overall. */
  readonly overall: MeanEstimate;
  readonly strata: ReadonlyMap<string, MeanEstimate>;
  /** Mean score after training. */
  readonly after: number;
  /** Change of its judgement by each judge. */
  readonly seenBy: ReadonlyMap<string, MeanEstimate>;
  /** The judges that are what this arm was trained with. */
  readonly own: readonly string[];
  /** Change of the share of right answers; null when no exam was taken twice with answers. */
  readonly exam: MeanEstimate | null;
  /** From the base, at the last evaluation, one for each seed; NaN where it was not measured. */
  readonly kl: readonly number[];
  /** Means over the last tenth of the steps, one for each seed. */
  readonly entropy: readonly number[];
  readonly duplicates: readonly number[];
  readonly diversity: readonly number[];
  /** Of training, one for each seed. */
  readonly seconds: readonly number[];
  /** Runs that did not come to their last step: a guard, or the time limit. */
  readonly cutShort: readonly string[];
}

export interface PairResult {
  readonly one: string;
  readonly other: string;
  /** Final score of `one` minus that of `other`, with an interval that holds together with those of all other pairs. */
  readonly difference: MeanEstimate;
}

export interface RewardComparison {
  readonly runs: readonly ComparedRun[];
  readonly arms: readonly ArmResult[];
  readonly seeds: readonly number[];
  readonly score: string;
  readonly scale: Scale;
  /** By judge, of all values. */
  readonly scales: ReadonlyMap<string, Scale>;
  /** Mean score before training, by category and overall. */
  readonly before: { readonly overall: number; readonly strata: ReadonlyMap<string, number> };
  readonly prompts: number;
  readonly leftOut: number;
  readonly pairs: readonly PairResult[];
  /** Sentences. */
  readonly verdict: readonly string[];
}

/** Throws GVU_EVALS_COMPARISON for runs that cannot be compared. */
export function compareRewards(runs: readonly ComparedRun[]): RewardComparison {
  checkComparable(runs);
  const judges = judgesOf(runs);
  const judged = new Map(judges.map((judge) => [judge, judgedArms(runs, judge)]));
  const score = judges[0] ?? '';
  const scored = judged.get(score) ?? { judge: score, arms: [], leftOut: 0 };
  const scales = new Map([...judged].map(([judge, values]) => [judge, scaleOf(allValues(values))]));
  const scale = scales.get(score) ?? scaleOf([]);
  const arms = scored.arms.map((values): ArmResult => armResult(values, { runs, judged, scales }));
  const pairCount = (scored.arms.length * (scored.arms.length - 1)) / 2;
  const pairs = scored.arms.flatMap((one, i) =>
    scored.arms.slice(i + 1).map((other): PairResult => {
      const { overall } = crossedMeans(differences(one, other), { level: pairLevel(pairCount) });
      return { one: one.arm, other: other.arm, difference: possible(overall, scale) };
    }),
  );
  const base = scored.arms[0];
  const found = {
    runs,
    arms,
    seeds: seedsOf(runs),
    score,
    scale,
    scales,
    before: {
      overall: base ? crossedMeans(levels(base, 'before')).overall.mean : Number.NaN,
      strata: new Map(
        [...(base ? crossedMeans(levels(base, 'before')).strata : [])].map(([tag, estimate]) => [tag, estimate.mean]),
      ),
    },
    prompts: base?.units.length ?? 0,
    leftOut: scored.leftOut,
    pairs,
  };
  return { ...found, verdict: verdictOf(found) };
}

interface Context {
  readonly runs: readonly ComparedRun[];
  readonly judged: ReadonlyMap<string, JudgedArms>;
  readonly scales: ReadonlyMap<string, Scale>;
}

function armResult(values: ArmValues, { runs, judged, scales }: Context): ArmResult {
  const { arm } = values;
  const scale = [...scales.values()][0] ?? scaleOf([]);
  const { overall, strata } = crossedMeans(changes(values));
  const own = runs.filter((run) => run.arm === arm).toSorted((a, b) => a.seed - b.seed);
  const seenBy = [...judged].flatMap(([judge, { arms }]): [string, MeanEstimate][] => {
    const mine = arms.find((other) => other.arm === arm);
    if (!mine || mine.units.length === 0) return [];
    return [[judge, possible(crossedMeans(changes(mine)).overall, scales.get(judge) ?? scale)]];
  });
  const questions = examChanges(runs, arm);
  const metric = (name: string) =>
    own.map(({ record }) => lastMean(record.steps.map(({ metrics }) => metrics[name] ?? null)));
  return {
    arm,
    overall: possible(overall, scale),
    strata: new Map([...strata].map(([tag, estimate]) => [tag, possible(estimate, scale)])),
    after: crossedMeans(levels(values, 'after')).overall.mean,
    seenBy: new Map(seenBy),
    own: rewardNamesOf(own[0]).filter((name) => judged.has(name)),
    exam: questions.length > 0 ? crossedMeans(questions).overall : null,
    kl: own.map(({ record }) => record.evaluations.at(-1)?.signs?.kl ?? Number.NaN),
    entropy: metric('entropy'),
    duplicates: metric('duplicates'),
    diversity: metric('diversity'),
    seconds: own.map(({ record }) => record.ended?.seconds ?? record.steps.at(-1)?.elapsedSeconds ?? Number.NaN),
    cutShort: own.flatMap(({ seed, record: { ended } }) =>
      ended && ended.reason !== 'finished' ? [`seed ${seed}: ${ended.reason} after step ${ended.step}`] : [],
    ),
  };
}

/** The rewards that a run was trained with, by the names that its judges have. */
function rewardNamesOf(run: ComparedRun | undefined): readonly string[] {
  const config = run?.record.started.config;
  const entries: readonly unknown[] = isRecord(config) && Array.isArray(config.rewards) ? config.rewards : [];
  return entries.flatMap((entry) => (isRecord(entry) && entry.weight !== 0 ? [String(entry.name ?? entry.use)] : []));
}

/** Of the last tenth of the steps, at least one. */
function lastMean(values: readonly (number | null)[]): number {
  const last = values.slice(-Math.max(1, Math.round(values.length / 10))).flatMap((value) => value ?? []);
  return last.reduce((sum, value) => sum + value, 0) / last.length;
}

function levels({ units }: ArmValues, side: 'before' | 'after') {
  return units.map((unit) => ({ stratum: unit.tag, bySeed: unit[side] }));
}

function allValues({ arms }: JudgedArms): readonly number[] {
  return arms.flatMap(({ units }) => units.flatMap(({ before, after }) => [...before, ...after]));
}

/** Means of scores from 0 to 1 differ by 1 at most, which the interval of a few prompts does not know. */
export function possible(estimate: MeanEstimate, scale: Scale): MeanEstimate {
  const { interval } = estimate;
  if (interval === null || scale.factor !== 100) return estimate;
  return { ...estimate, interval: [Math.max(-1, interval[0]), Math.min(1, interval[1])] };
}

/** `+3.1 points [1.2, 5.0]` */
export function estimateText(estimate: MeanEstimate, scale: Scale): string {
  const { n, mean, standardError, interval } = estimate;
  const decimals = decimalsOf(standardError, { scale, n });
  const amount = signed(mean * scale.factor, decimals);
  return interval
    ? `${amount}${scale.unit} ${intervalText(interval, { scale, decimals })}`
    : `${amount}${scale.unit}, no interval`;
}

type Found = Omit<RewardComparison, 'verdict'>;

function verdictOf(found: Found): readonly string[] {
  const { arms, pairs, score, scale, seeds } = found;
  const one = arms.map(({ arm, overall }) => {
    const claim = estimateText(overall, scale);
    const side = sideOf(overall.interval);
    const words = {
      above: 'is better than the base',
      below: 'is worse than the base',
      open: 'cannot be told from the base',
    };
    return `${arm} ${words[side]} by ${score}: ${claim}.`;
  });
  const told = pairs.flatMap(({ one: a, other: b, difference }) => {
    const side = sideOf(difference.interval);
    if (side === 'open') return [];
    const [better, worse] = side === 'above' ? [a, b] : [b, a];
    const turned = side === 'above' ? difference : negated(difference);
    return [`${better} is better than ${worse}: ${estimateText(turned, scale)}.`];
  });
  const open = pairs.filter(({ difference }) => sideOf(difference.interval) === 'open');
  const untold =
    open.length === 0
      ? []
      : [`No difference can be told between ${open.map(({ one: a, other: b }) => `${a} and ${b}`).join(', ')}.`];
  return [...one, ...told, ...untold, ...cautions(found), ...seedCaution(seeds)];
}

/** The level of each of so many intervals that all of them hold together with 95 % (Bonferroni). */
export function pairLevel(count: number): number {
  return 1 - 0.05 / Math.max(1, count);
}

/** Rewards that rose without the score, and judges that are rewards. */
function cautions({ arms, score, scales }: Found): readonly string[] {
  return arms.flatMap(({ arm, own, overall, seenBy }) => {
    const judgesItself = own.includes(score)
      ? [`${arm} was trained on ${score}, the judge itself: it bounds what a reward can do here.`]
      : [];
    const hacked = own.flatMap((name) => {
      const estimate = seenBy.get(name);
      if (name === score || !estimate || sideOf(estimate.interval) !== 'above' || sideOf(overall.interval) === 'above')
        return [];
      const rise = estimateText(estimate, scales.get(name) ?? scaleOf([]));
      return [`${arm} raised its own reward (${name}: ${rise}), and ${score} does not show it.`];
    });
    return [...judgesItself, ...hacked];
  });
}

function seedCaution(seeds: readonly number[]): readonly string[] {
  if (seeds.length === 1)
    return ['One seed: the intervals are over prompts alone, and another seed may come out otherwise.'];
  return seeds.length === 2
    ? ['Two seeds say little of how others would come out, and the intervals are wide for it.']
    : [];
}

export function sideOf(interval: Interval | null): 'above' | 'below' | 'open' {
  if (interval === null) return 'open';
  return interval[0] > 0 ? 'above' : interval[1] < 0 ? 'below' : 'open';
}

function negated(estimate: MeanEstimate): MeanEstimate {
  const { mean, interval } = estimate;
  return { ...estimate, mean: -mean, interval: interval && [-interval[1], -interval[0]] };
}
