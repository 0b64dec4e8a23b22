/**
 * What a reproduction of the paper consists of, read from the folders of its runs. Only runs that came to their end count; whatever is
 * missing is named. Nothing here knows which backend was trained.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ComparedRun } from '../compare/compared-runs.ts';
import { evalsErrors } from '../errors.ts';
import { type RunRecord, readRun } from '../run-record.ts';
import { readWordsResult, type WordsResult, wordsFolder } from './words-file.ts';

/** What a way of training is there for. */
export const roles = ['method', 'control', 'baseline', 'group-size', 'teacher', 'reward'] as const;
export type Role = (typeof roles)[number];

export interface ReproducedArm {
  /** What tells it from the others, part of the names of its folders. */
  readonly arm: string;
  /** For tables. */
  readonly title: string;
  /** The model that it starts from: its name in the report. Gains are compared between `weak` and `regular`. */
  readonly base: string;
  readonly role: Role;
}

/** `GvU (weak base)` */
export function nameOf({ title, base }: ReproducedArm): string {
  return `${title} (${base} base)`;
}

export interface ReproducedPlace extends ReproducedArm {
  readonly seed: number;
  /** Relative to the folder of the reproduction. */
  readonly folder: string;
}

/** Categories whose mean is one score, as those of a benchmark. */
export interface ScoreGroup {
  readonly title: string;
  /** The table of the paper that has the same rows. */
  readonly paper: string;
  readonly tags: readonly string[];
}

export interface ArmRuns extends ReproducedArm {
  /** Those that are done, at least one, by seed. */
  readonly runs: readonly ComparedRun[];
}

export interface Reproduction {
  readonly groups: readonly ScoreGroup[];
  /** In the order of the plan. */
  readonly arms: readonly ArmRuns[];
  /** One for each base that was measured. */
  readonly words: readonly WordsResult[];
  /** Runs that are planned and not done, by folder. */
  readonly missing: readonly string[];
}

/**
 * Reads what is there. @throws GVU_LOG_CORRUPT for a damaged log, GVU_EVALS_COMPARISON when one base was several models, GVU_REPORT_RUN
 * for damaged results of words
 */
export async function readReproduction(
  folder: string,
  { groups, places }: { readonly groups: readonly ScoreGroup[]; readonly places: readonly ReproducedPlace[] },
): Promise<Reproduction> {
  const arms = new Map<string, ReproducedArm & { runs: ComparedRun[] }>();
  const missing: string[] = [];
  for (const { seed, folder: place, ...arm } of places) {
    const record = existsSync(join(folder, place, 'events.jsonl')) ? await readRun(join(folder, place)) : undefined;
    if (!record || !isDone(record)) {
      missing.push(place);
      continue;
    }
    const entry = arms.get(arm.arm) ?? { ...arm, runs: [] };
    arms.set(arm.arm, entry);
    // Of many runs at once the rollouts would fill the memory, and nothing here looks at them.
    entry.runs.push({ arm: arm.arm, seed, folder: place, record: { ...record, rollouts: [] } });
  }
  const words: WordsResult[] = [];
  for (const base of new Set(places.map((place) => place.base))) {
    const found = await readWordsResult(join(folder, wordsFolder(base)));
    if (found) words.push(found);
    else missing.push(wordsFolder(base));
  }
  const found = { groups, arms: [...arms.values()], words, missing };
  requireOneModelEach(found);
  return found;
}

/** Whether a run can be reported: it has ended by itself, with an evaluation before and one after. */
export function isDone({ ended, evaluations }: RunRecord): boolean {
  return ended !== null && !['stopped', 'failed'].includes(ended.reason) && evaluations.length > 1;
}

/** Numbers of two models must not get into one column. */
function requireOneModelEach({ arms, words }: Reproduction): void {
  const versions = new Map<string, Set<string>>();
  const note = (base: string, version: string) => versions.set(base, (versions.get(base) ?? new Set()).add(version));
  for (const { base, runs } of arms) for (const { record } of runs) note(base, record.started.backend.version);
  for (const { base, backend } of words) note(base, backend.version);
  const mixed = [...versions].filter(([, found]) => found.size > 1);
  if (mixed.length === 0) return;
  const problems = mixed.map(([base, found]) => `'${base}' was ${[...found].join(' and ')}`);
  throw evalsErrors.error('GVU_EVALS_COMPARISON', `One base was several models: ${problems.join('; ')}.`, {
    hint: 'Its weights were changed between runs. Reproduce in a new folder.',
    details: { problems },
  });
}
