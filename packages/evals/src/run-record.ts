/**
 * What a run's event log says of the run, sorted by kind: what summary and report are made of. Branches that were given up by resuming
 * from an older checkpoint are left out. It is read anew each time and works at any moment of a run; nothing here writes.
 */
import { isGvuError, type LogEvent, readEvents } from '@gvu/core';
import {
  currentEvents,
  type EvaluationEvent,
  type ExamEvent,
  type GuardEvent,
  type RolloutEvent,
  type RunEvents,
  type RunStarted,
  type StepEvent,
} from '@gvu/rl';
import { evalsErrors } from './errors.ts';

export interface RunRecord {
  readonly started: RunStarted;
  /** ISO 8601. */
  readonly startedAt: string;
  /** How it ended, unless it is still going on, was killed, or went on since. */
  readonly ended: RunEvents['run.ended'] | null;
  /** ISO 8601; null when `ended` is. */
  readonly endedAt: string | null;
  /** By step. */
  readonly steps: readonly StepEvent[];
  /** In the order of the log. */
  readonly rollouts: readonly RolloutEvent[];
  /** By step, one a step. */
  readonly evaluations: readonly EvaluationEvent[];
  /** By step, one of a name a step. */
  readonly exams: readonly ExamEvent[];
  readonly guards: readonly GuardEvent[];
}

/**
 * @throws GVU_REPORT_RUN when the folder holds no run; GVU_LOG_CORRUPT when its log is damaged
 */
export async function readRun(folder: string): Promise<RunRecord> {
  const events: LogEvent[] = [];
  try {
    for await (const event of readEvents(folder)) events.push(event);
  } catch (cause) {
    if (isGvuError(cause) && !isGvuError(cause, 'GVU_LOG_MISSING')) throw cause;
    throw noRun(folder, 'it has no event log that can be read', cause);
  }
  return recordOf(events, folder);
}

function recordOf(events: readonly LogEvent[], folder: string): RunRecord {
  let start: { data: RunStarted; time: string } | undefined;
  let ended: { data: RunEvents['run.ended']; time: string } | undefined;
  const steps = new Map<number, StepEvent>();
  const rollouts = new Map<string, RolloutEvent>();
  const evaluations = new Map<number, EvaluationEvent>();
  const exams = new Map<string, ExamEvent>();
  const guards: GuardEvent[] = [];
  for (const event of currentEvents(events)) {
    // Whatever is logged again after resuming at its step is the same thing: the later one counts.
    if (event.type === 'run.started') start ??= event;
    else if (event.type === 'run.resumed') ended = undefined;
    else if (event.type === 'run.ended') ended = event;
    else if (event.type === 'step') steps.set(event.data.step, event.data);
    else if (event.type === 'rollout') {
      const { step, group, sample } = event.data;
      rollouts.set(`${step}/${group}/${sample}`, event.data);
    } else if (event.type === 'evaluation') evaluations.set(event.data.step, event.data);
    else if (event.type === 'exam') exams.set(JSON.stringify([event.data.step, event.data.name]), event.data);
    else if (event.type === 'guard') guards.push(event.data);
  }
  if (start === undefined) throw noRun(folder, 'its event log does not tell of a run that was started');
  return {
    started: start.data,
    startedAt: start.time,
    ended: ended?.data ?? null,
    endedAt: ended?.time ?? null,
    steps: byStep(steps.values()),
    rollouts: [...rollouts.values()],
    evaluations: byStep(evaluations.values()),
    exams: byStep(exams.values()),
    guards,
  };
}

/** Seconds of training, and how far it has come. */
export function progressOf({ steps, ended, evaluations }: RunRecord): {
  readonly step: number;
  readonly steps: number | null;
  readonly seconds: number | null;
} {
  const last = steps.at(-1);
  return {
    step: last?.step ?? ended?.step ?? evaluations.at(-1)?.step ?? 0,
    steps: last?.steps ?? null,
    seconds: ended?.seconds ?? last?.elapsedSeconds ?? null,
  };
}

function byStep<T extends { readonly step: number }>(items: Iterable<T>): T[] {
  return [...items].sort((a, b) => a.step - b.step);
}

function noRun(folder: string, why: string, cause?: unknown): Error {
  return evalsErrors.error('GVU_REPORT_RUN', `There is no run in ${JSON.stringify(folder)}: ${why}.`, {
    hint: 'Give the folder of a run, which holds events.jsonl.',
    cause,
  });
}
