/** The learning rate over a run: a linear rise, then as the configuration says. */
import type { RunConfig } from '../run/config.ts';

/** The rate of a step, from 0. It falls to zero at the step after the last one, which is never taken. */
export function learningRateAt(
  {
    learningRate,
    schedule,
    steps,
    warmupSteps,
  }: Pick<RunConfig, 'learningRate' | 'schedule' | 'steps' | 'warmupSteps'>,
  step: number,
): number {
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
  const done = (step - warmupSteps) / Math.max(1, steps - warmupSteps);
  switch (schedule) {
    case 'constant':
      return learningRate;
    case 'linear':
      return learningRate * (1 - done);
    case 'cosine':
      return (learningRate * (1 + Math.cos(Math.PI * done))) / 2;
  }
}
