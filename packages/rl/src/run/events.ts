/**
 * The events of a run: what the trainer appends to the log, and everything that is known about the run afterwards. Whoever
 * draws curves, walls of pictures or tables reads these, live or later.
 *
 * After `run.resumed { step }`, what was logged for steps above `step` happened on a branch that was given up: readers that want the
 * run as it counts drop it (`currentEvents` does).
 */
import type { JsonValue, LogEvent } from '@gvu/core';
import type { PromptTrace } from '@gvu/models';
import type { Teacher } from '@gvu/rewards';
import type { ExamScore } from '../exams.ts';

/** Each type of event with its data. Numbers that are no numbers are null. */
export interface RunEvents {
  readonly 'run.started': RunStarted;
  readonly 'run.resumed': { readonly step: number };
  readonly 'run.ended': {
    readonly step: number;
    readonly reason: EndReason;
    readonly message: string;
    readonly seconds: number;
  };
  readonly step: StepEvent;
  readonly rollout: RolloutEvent;
  readonly evaluation: EvaluationEvent;
  readonly exam: ExamEvent;
  readonly checkpoint: { readonly step: number; readonly path: string };
  readonly guard: GuardEvent;
}

export type EndReason = 'finished' | 'stopped' | 'time' | 'guard' | 'failed';

export interface RunStarted {
  readonly run: string;
  /** As resolved: `config.json` has the same. */
  readonly config: JsonValue;
  readonly backend: {
    readonly name: string;
    readonly version: string;
    readonly parameters: number;
    readonly policy: string;
  };
  readonly image: { readonly width: number; readonly height: number; readonly decisions: number };
  /** Trainable values. */
  readonly trainable: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** One optimiser batch. Steps count from 1: step n is over when this is logged. */
export interface StepEvent {
  readonly step: number;
  readonly steps: number;
  /** Of the step, and of the run so far. */
  readonly seconds: number;
  readonly elapsedSeconds: number;
  /**
   * By name: `reward/mean`, `reward/std` (mean spread in a group), `reward/<name>`, `kl`, `entropy`, `gradient/norm`, `learning_rate`,
   * `ratio/max`, `clip/region`, `ties`, `decisions_per_second`, `time/<phase>` in seconds for draw, decode, score and learn,
   * `engine/<phase>` the part of it inside ONNX Runtime, `time/engine` the sum of these parts, and what the algorithm reports.
   */
  readonly metrics: Readonly<Record<string, number | null>>;
}

/** One drawing of training, as it was rewarded. */
export interface RolloutEvent {
  /** The step that learned from it, from 1. */
  readonly step: number;
  /** Which prompt of the step, and which of its drawings, from 0: with the seed, everything about its randomness. */
  readonly group: number;
  readonly sample: number;
  readonly seed: number;
  readonly prompt: string;
  readonly tag: string | null;
  readonly reward: number | null;
  /** By name, before weights. */
  readonly rewards: Readonly<Record<string, number | null>>;
  readonly advantage: number;
  /** For each reward that reads the prompt: what every token of it contributed, and who read. */
  readonly traces: Readonly<Record<string, PromptTrace>>;
  readonly teacher: Teacher | null;
  readonly sampler: Readonly<Record<string, number>>;
  /** Mean log-probability of its decisions under the policy, in nats. */
  readonly logProb: number;
  /** Name of the picture among the blobs. */
  readonly image: string | null;
}

export interface EvaluationEvent {
  /** Steps done: 0 = before training. */
  readonly step: number;
  readonly seconds: number;
  /** Name of the reward whose mean is the score. */
  readonly score: string;
  /** Versions of the rewards that judged, by name. */
  readonly judges?: Readonly<Record<string, string>>;
  /** Mean over the tags of the mean score of each, and the same by reward. */
  readonly overall: Readonly<Record<string, number | null>>;
  readonly byTag: Readonly<
    Record<string, { readonly n: number; readonly mean: Readonly<Record<string, number | null>> }>
  >;
  /**
   * Of a teacher that changes: mean log-probability, in nats a token, that it gives n drawings from before training for their own prompts
   * and for others'.
   */
  readonly judge?: { readonly right: number; readonly wrong: number; readonly n: number };
  /**
   * Of the drawings, by name: `kl` from the model without its adapter, in nats a decision; `saturation`, `brightness`, `sharpness` and
   * `diversity` as in `trainer/picture-statistics.ts`; `correlation/<reward>` with the score.
   */
  readonly signs?: Readonly<Record<string, number | null>>;
  /** In the same order at every step. */
  readonly drawings: readonly EvaluatedDrawing[];
}

export interface EvaluatedDrawing {
  readonly prompt: string;
  readonly tag: string | null;
  /** Which of the prompt's drawings. */
  readonly sample: number;
  readonly rewards: Readonly<Record<string, number | null>>;
  readonly image: string | null;
}

export interface ExamEvent {
  readonly step: number;
  readonly name: string;
  readonly scores: Readonly<Record<string, ExamScore>>;
}

export interface GuardEvent {
  readonly step: number;
  readonly guard: string;
  readonly level: 'warn' | 'stop';
  /** What was seen, and what to do about it. */
  readonly message: string;
}

export type RunEvent = {
  [Type in keyof RunEvents]: {
    readonly seq: number;
    readonly time: string;
    readonly type: Type;
    readonly data: RunEvents[Type];
  };
}[keyof RunEvents];

const types: ReadonlySet<string> = new Set<keyof RunEvents>([
  'run.started',
  'run.resumed',
  'run.ended',
  'step',
  'rollout',
  'evaluation',
  'exam',
  'checkpoint',
  'guard',
]);

/** Whether an event of a log is one of the trainer's; other writers may have added their own. */
export function isRunEvent(event: LogEvent): event is RunEvent & LogEvent {
  return types.has(event.type);
}

/** The events of a run as it counts: without what came after a checkpoint that was resumed from. */
export function currentEvents(events: readonly LogEvent[]): readonly RunEvent[] {
  const kept: RunEvent[] = [];
  for (const event of events) {
    if (!isRunEvent(event)) continue;
    if (event.type === 'run.resumed') {
      const { step } = event.data;
      for (let i = kept.length - 1; i >= 0; i--) {
        const data = kept[i]?.data;
        if (data && 'step' in data && data.step > step) kept.splice(i, 1);
      }
    }
    kept.push(event);
  }
  return kept;
}
