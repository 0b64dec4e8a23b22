/** The trainer. */
import type { Backend } from '@gvu/models';
import type { Runtime } from '@gvu/onnx';
import type { RewardDeps, RewardEntry } from '@gvu/rewards';
import type { Algorithm } from '../algorithm.ts';
import type { Exam } from '../exams.ts';
import type { PromptSource } from '../prompts.ts';
import type { RunConfig } from '../run/config.ts';
import type { EndReason } from '../run/events.ts';

/** What a configuration names, ready to work. The parts belong to the caller. */
export interface RunParts {
  readonly runtime: Runtime;
  readonly backend: Backend;
  readonly prompts: PromptSource;
  readonly algorithm: Algorithm;
  readonly exam?: Exam | undefined;
  /** Made by the trainer, because rewards may read with a state of the policy that it owns. */
  readonly rewards: (deps: RewardDeps) => Promise<readonly RewardEntry[]>;
  /** Those of `evaluation.rewards`. */
  readonly judges: (deps: RewardDeps) => Promise<readonly RewardEntry[]>;
}

export interface TrainOptions {
  readonly config: RunConfig;
  /** Of the run; made if it does not exist. If it holds a run, that run is continued, and must have the same configuration. */
  readonly folder: string;
  readonly onProgress?: ((progress: TrainProgress) => void) | undefined;
  /** Ends the run after the step under way, with a checkpoint. */
  readonly signal?: AbortSignal | undefined;
}

export interface TrainProgress {
  readonly phase: 'evaluation' | 'step' | 'exam';
  /** Steps done. */
  readonly step: number;
  readonly steps: number;
  /** Of the last step, by name; see `StepEvent`. */
  readonly metrics: Readonly<Record<string, number | null>>;
  readonly secondsLeft: number;
}

export interface TrainResult {
  readonly folder: string;
  readonly step: number;
  readonly reason: EndReason;
  readonly message: string;
}

export declare function train(parts: RunParts, options: TrainOptions): Promise<TrainResult>;
