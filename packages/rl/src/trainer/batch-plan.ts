/** How the drawings of a step are cut into updates and micro-batches of one size, so that each program is compiled once. */
import { rlErrors } from '../errors.ts';
import type { RunConfig } from '../run/config.ts';

export interface BatchPlan {
  /** Drawings of a step. */
  readonly rollouts: number;
  /** Drawings of an optimiser step, and of a micro-batch. */
  readonly perUpdate: number;
  readonly rows: number;
  /** Micro-batches of an optimiser step. */
  readonly microBatches: number;
  /** Optimiser steps of a step. */
  readonly updates: number;
  /** Whether an update may meet drawings of an older policy. */
  readonly offPolicy: boolean;
  /** Whether gradients compute blocks again in place of keeping their inner values. */
  readonly checkpointing: boolean;
}

/** From this number of weights on, what a gradient keeps of a few drawings fills a usual machine. */
const largeModel = 1e8;

export interface BatchPlanOptions {
  /** The loss compares the drawings of a group with each other. */
  readonly wholeGroups: boolean;
  /** Weights of the model. */
  readonly parameters: number;
}

/** Throws GVU_RUN_CONFIG. */
export function batchPlan(config: RunConfig, { wholeGroups, parameters }: BatchPlanOptions): BatchPlan {
  const isLarge = parameters >= largeModel;
  const { promptsPerStep, groupSize, updatesPerStep, epochs } = config;
  const { microBatch = isLarge ? 2 : 64, checkpointing = isLarge } = config;
  if (promptsPerStep % updatesPerStep !== 0)
    throw rlErrors.error(
      'GVU_RUN_CONFIG',
      `${promptsPerStep} prompts a step cannot be spread over ${updatesPerStep} updates evenly.`,
      { hint: "Choose 'promptsPerStep' as a multiple of 'updatesPerStep'." },
    );
  const rollouts = promptsPerStep * groupSize;
  const perUpdate = rollouts / updatesPerStep;
  const unit = wholeGroups ? groupSize : 1;
  const rows = unit * largestDivisor(perUpdate / unit, Math.max(1, Math.floor(microBatch / unit)));
  return {
    rollouts,
    perUpdate,
    rows,
    microBatches: perUpdate / rows,
    updates: updatesPerStep * epochs,
    offPolicy: updatesPerStep * epochs > 1,
    checkpointing,
  };
}

/** The largest divisor of n that is at most `limit`. */
function largestDivisor(n: number, limit: number): number {
  for (let divisor = Math.min(n, limit); divisor > 1; divisor--) if (n % divisor === 0) return divisor;
  return 1;
}
