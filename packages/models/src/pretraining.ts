/** Recipes that make a backend's weights from nothing: plugins provide them below `gvu.contributes.pretrainings`. */
import { contributionPoint } from '@gvu/core';
import type { Pixels } from './backend.ts';
import type { BackendDeps } from './backends.ts';

/** Its options are the recipe, which with the seed in them decides the weights. */
export interface Pretraining {
  /** Runs the recipe, or the rest of it when the folder holds an interrupted run. What it writes there is the recipe's affair. */
  run(options: PretrainingRun): Promise<PretrainingResult>;
}

export interface PretrainingRun {
  readonly folder: string;
  readonly onProgress?: ((progress: PretrainingProgress) => void) | undefined;
  /** Writes a checkpoint, then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface PretrainingProgress {
  readonly stage: string;
  readonly step: number;
  readonly steps: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly stepsPerSecond: number;
  readonly secondsLeft: number;
}

export interface PretrainingResult {
  /** What the models can do, as a text for people. */
  readonly report: string;
  /** Directories of models, by name, that the backend can open. */
  readonly models: Readonly<Record<string, string>>;
  /** What the models draw, to be looked at: rows of pictures of one size, each with what it shows. */
  readonly drawings?: readonly { readonly label: string; readonly images: readonly Pixels[] }[];
}

export const pretrainings = contributionPoint<Pretraining, BackendDeps>({
  kind: 'pretrainings',
  description: "Recipes that make a backend's weights.",
});
