/**
 * Runs of several arms (rewards that were trained with) and seeds, brought to one table of numbers. All runs evaluate the same prompts
 * with the same randomness before and after, so that a prompt is one unit in all of them. What cannot be paired in every run is left
 * out of all, and counted.
 */
import type { EvaluationEvent } from '@gvu/rl';
import { evalsErrors } from '../errors.ts';
import { tagOf } from '../evaluations.ts';
import type { RunRecord } from '../run-record.ts';
import type { CrossedUnit } from './crossed.ts';

export interface ComparedRun {
  /** What tells this way of training from the others. */
  readonly arm: string;
  readonly seed: number;
  /** How reports name its folder. */
  readonly folder: string;
  readonly record: RunRecord;
}

/** A prompt's mean value by seed, before training and after, in one arm. */
export interface UnitValues {
  readonly tag: string;
  readonly prompt: string;
  /** [seeds] */
  readonly before: readonly number[];
  readonly after: readonly number[];
}

export interface ArmValues {
  readonly arm: string;
  readonly units: readonly UnitValues[];
}

export interface JudgedArms {
  /** Name of the reward that judges. */
  readonly judge: string;
  readonly arms: readonly ArmValues[];
  /** Prompts that at least one run could not judge. */
  readonly leftOut: number;
}

/** The arms in the order in which they first occur. */
export function armsOf(runs: readonly ComparedRun[]): readonly string[] {
  return [...new Set(runs.map(({ arm }) => arm))];
}

export function seedsOf(runs: readonly ComparedRun[]): readonly number[] {
  return [...new Set(runs.map(({ seed }) => seed))].toSorted((a, b) => a - b);
}

/** Throws GVU_EVALS_COMPARISON, naming every run that is missing, unevaluated or of another evaluation. */
export function checkComparable(runs: readonly ComparedRun[]): void {
  const problems: string[] = [];
  const seeds = seedsOf(runs);
  for (const arm of armsOf(runs)) {
    for (const seed of seeds) {
      const count = runs.filter((run) => run.arm === arm && run.seed === seed).length;
      if (count !== 1) problems.push(`${arm} has ${count} runs with seed ${seed}`);
    }
  }
  const [reference] = runs;
  for (const { folder, record } of runs) {
    const { evaluations, started } = record;
    if (evaluations.length < 2)
      problems.push(`'${folder}' has ${evaluations.length} evaluations, not one before and one after`);
    const { backend } = started;
    const other = reference?.record.started.backend;
    if (other && (backend.name !== other.name || backend.version !== other.version))
      problems.push(`'${folder}' is of ${backend.name} ${backend.version}, not ${other.version}`);
  }
  if (runs.length === 0) problems.push('there are no runs');
  if (problems.length === 0) return;
  throw evalsErrors.error('GVU_EVALS_COMPARISON', `The runs cannot be compared: ${problems.join('; ')}.`, {
    hint: 'Compare runs of the same model, seeds and evaluation, all of them trained to their end.',
    details: { problems },
  });
}

/** What a judge says of the drawings of every arm; no units if it judged none. */
export function judgedArms(runs: readonly ComparedRun[], judge: string): JudgedArms {
  const seeds = seedsOf(runs);
  const sides = runs.map(({ arm, seed, record }) => ({
    arm,
    seed,
    before: promptMeans(record.evaluations[0], judge),
    after: promptMeans(record.evaluations.at(-1), judge),
  }));
  const known = [...new Set(sides.flatMap(({ before }) => [...before.keys()]))];
  const shared = known.filter((key) =>
    sides.every(({ before, after }) => finite(before.get(key)?.value) && finite(after.get(key)?.value)),
  );
  const arms = armsOf(runs).map((arm): ArmValues => {
    const own = seeds.flatMap((seed) => sides.filter((side) => side.arm === arm && side.seed === seed));
    const units = shared.map((key): UnitValues => {
      const { tag = '', prompt = '' } = own[0]?.before.get(key) ?? {};
      const values = (side: 'before' | 'after') => own.map((run) => run[side].get(key)?.value ?? Number.NaN);
      return { tag, prompt, before: values('before'), after: values('after') };
    });
    return { arm, units };
  });
  return { judge, arms, leftOut: known.length - shared.length };
}

/** Rewards that judged the drawings of every run, the score first. */
export function judgesOf(runs: readonly ComparedRun[]): readonly string[] {
  const [first] = runs.map(({ record }) => record.evaluations[0]);
  const names = [first?.score ?? '', ...Object.keys(first?.overall ?? {})];
  return [...new Set(names)].filter(
    (name) => name !== '' && runs.every(({ record }) => record.evaluations.every(({ overall }) => name in overall)),
  );
}

/** How a prompt's value changed, by seed. */
export function changes({ units }: ArmValues): readonly CrossedUnit[] {
  return units.map(({ tag, before, after }) => ({
    stratum: tag,
    bySeed: after.map((value, s) => value - (before[s] ?? Number.NaN)),
  }));
}

/** By how much a prompt's final value in one arm exceeds that in the other, by seed. */
export function differences(one: ArmValues, other: ArmValues): readonly CrossedUnit[] {
  return one.units.map(({ tag, after }, i) => ({
    stratum: tag,
    bySeed: after.map((value, s) => value - (other.units[i]?.after[s] ?? Number.NaN)),
  }));
}

/** The right answers of the exams, by question: as scores, each kind a stratum. Empty where answers were not logged one by one. */
export function examChanges(runs: readonly ComparedRun[], arm: string): readonly CrossedUnit[] {
  const own = seedsOf(runs).flatMap((seed) => runs.filter((run) => run.arm === arm && run.seed === seed));
  const sides = own.map(({ record }) => ({ before: answersOf(record, 'first'), after: answersOf(record, 'last') }));
  const questions = [...(sides[0]?.before.keys() ?? [])].filter((key) =>
    sides.every(({ before, after }) => before.has(key) && after.has(key)),
  );
  return questions.map((key) => ({
    stratum: key.slice(0, key.lastIndexOf('#')),
    bySeed: sides.map(({ before, after }) => (after.get(key) ?? Number.NaN) - (before.get(key) ?? Number.NaN)),
  }));
}

/** 1 or 0 for each question, by exam, kind and number. */
function answersOf({ exams }: RunRecord, which: 'first' | 'last'): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const name of new Set(exams.map((exam) => exam.name))) {
    const taken = exams.filter((exam) => exam.name === name);
    const exam = which === 'first' ? taken[0] : taken.length > 1 ? taken.at(-1) : undefined;
    for (const [kind, { answers = [] }] of Object.entries(exam?.scores ?? {}))
      for (const [i, answer] of answers.entries()) found.set(`${name}: ${kind}#${i}`, answer);
  }
  return found;
}

interface PromptMean {
  readonly tag: string;
  readonly prompt: string;
  readonly value: number;
}

/** The mean of a prompt's drawings; NaN when one of them could not be judged. */
function promptMeans(evaluation: EvaluationEvent | undefined, judge: string): ReadonlyMap<string, PromptMean> {
  const values = new Map<string, { tag: string; prompt: string; all: number[] }>();
  for (const drawing of evaluation?.drawings ?? []) {
    const [tag, { prompt }] = [tagOf(drawing), drawing];
    const key = JSON.stringify([tag, prompt]);
    const entry = values.get(key) ?? { tag, prompt, all: [] };
    entry.all.push(drawing.rewards[judge] ?? Number.NaN);
    values.set(key, entry);
  }
  return new Map(
    [...values].map(([key, { tag, prompt, all }]) => [
      key,
      { tag, prompt, value: all.reduce((a, b) => a + b, 0) / all.length },
    ]),
  );
}

function finite(value: number | undefined): boolean {
  return value !== undefined && Number.isFinite(value);
}
