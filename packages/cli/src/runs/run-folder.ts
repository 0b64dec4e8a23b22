/**
 * Folders of runs as they lie on the disk: which there are, what became of each, and where the newest adapter is. Only reads; the
 * trainer alone writes.
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isRecord, type LogEvent, readEvents } from '@gvu/core';
import { currentEvents, newestAdapter } from '@gvu/rl';
import { cliErrors } from '../errors.ts';

/** Where runs are by default. */
export const runsFolder = 'runs';

export interface RunSummary {
  readonly id: string;
  readonly folder: string;
  readonly rewards: readonly string[];
  /** How it ended; `open` when it did not: it goes on, or was killed. */
  readonly state: string;
  readonly step: number;
  readonly steps: number;
  /** What is evaluated, and its value at the first and at the newest evaluation, in its own unit. */
  readonly score: string | undefined;
  readonly before: number | undefined;
  readonly after: number | undefined;
}

export function isRun(folder: string): boolean {
  return existsSync(join(folder, 'events.jsonl'));
}

/** Throws GVU_CLI_RUN_MISSING. */
export function requireRun(folder: string): void {
  if (isRun(folder)) return;
  throw cliErrors.error('GVU_CLI_RUN_MISSING', `There is no run in '${folder}'.`, {
    hint: 'Give the folder of a run, the one with events.jsonl; `gvu runs list` shows them.',
  });
}

/** The folder itself, or the run of that name among the others. Throws GVU_CLI_RUN_MISSING. */
export function findRun(name: string, parent: string): string {
  const below = join(parent, name);
  const folder = !isRun(name) && isRun(below) ? below : name;
  requireRun(folder);
  return folder;
}

/** Those in the folders right below `parent`, by name; none if it is not there. */
export async function listRuns(parent: string): Promise<readonly RunSummary[]> {
  const names = existsSync(parent) ? (await readdir(parent)).sort() : [];
  const folders = names.map((name) => join(parent, name)).filter(isRun);
  const summaries: RunSummary[] = [];
  for (const folder of folders) summaries.push(await summarise(folder));
  return summaries;
}

export async function summarise(folder: string): Promise<RunSummary> {
  const all: LogEvent[] = [];
  for await (const event of readEvents(folder)) all.push(event);
  const events = currentEvents(all);
  const started = events.find((event) => event.type === 'run.started')?.data;
  const lastStep = events.findLast((event) => event.type === 'step')?.data;
  const lifecycle = events.findLast((event) => event.type.startsWith('run.'));
  const evaluations = events.flatMap((event) => (event.type === 'evaluation' ? [event.data] : []));
  const [first, last] = [evaluations[0], evaluations.length > 1 ? evaluations.at(-1) : undefined];
  const config = isRecord(started?.config) ? started.config : {};
  const rewards = Array.isArray(config.rewards) ? config.rewards : [];
  return {
    id: basename(folder),
    folder,
    rewards: rewards.flatMap((entry) => (isRecord(entry) ? [String(entry.use)] : [])),
    state: lifecycle?.type === 'run.ended' ? lifecycle.data.reason : 'open',
    step: lastStep?.step ?? 0,
    steps: lastStep?.steps ?? Number(config.steps ?? 0),
    score: first?.score,
    before: first?.overall[first.score] ?? undefined,
    after: last?.overall[last.score] ?? undefined,
  };
}

/** The directory of the adapter in the newest checkpoint. Throws GVU_CLI_RUN_MISSING, GVU_CLI_CHECKPOINT. */
export async function requireAdapter(folder: string): Promise<string> {
  requireRun(folder);
  const newest = await newestAdapter(folder);
  if (newest !== undefined) return newest.path;
  throw cliErrors.error('GVU_CLI_CHECKPOINT', `The run in '${folder}' has no checkpoint with an adapter.`, {
    hint: 'Train until the first checkpoint (checkpoint.every), or stop with Ctrl-C, which writes one.',
  });
}
