/** The learning rate over a stage: a linear rise, a plateau, a linear fall to zero at the end. */

export interface Schedule {
  readonly peak: number;
  readonly steps: number;
  /** Steps of the rise. */
  readonly warmup: number;
  /** Share of the steps that the fall takes, 0 to 1. */
  readonly fall: number;
}

/** The rate of a step, from 0; the step after the last one would have 0. */
export function learningRateAt({ peak, steps, warmup, fall }: Schedule, step: number): number {
  const rise = Math.min(1, (step + 1) / Math.max(warmup, 1));
  const left = fall > 0 ? Math.min(1, (steps - step) / (fall * steps)) : 1;
  return peak * Math.min(rise, left);
}
