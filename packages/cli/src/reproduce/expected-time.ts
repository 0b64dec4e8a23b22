/** How long a run will take here: measured by a few of its steps, in a temporary folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRun } from '@gvu/evals';
import type { RunConfig } from '@gvu/rl';
import type { EngineOptions } from '../commands/shared-options.ts';
import { cliErrors } from '../errors.ts';
import { trainInChild } from './workers.ts';

const trialSteps = 4;

/** Seconds of a whole run of this configuration. Rejects with GVU_CLI_CHECKPOINT when the trial fails. */
export async function expectedSeconds(config: RunConfig, engine: EngineOptions, signal: AbortSignal): Promise<number> {
  const { steps, evaluation } = config;
  const folder = await mkdtemp(join(tmpdir(), 'gvu-reproduce-trial-'));
  try {
    const trial = {
      ...config,
      steps: Math.min(trialSteps, steps),
      evaluation: { ...evaluation, every: 0 },
      guards: { ...config.guards, idleSteps: 0 },
    };
    const { reason, message } = await trainInChild({ config: trial, folder, engine }, { signal, onProgress: () => {} });
    if (reason !== 'finished')
      throw cliErrors.error('GVU_CLI_CHECKPOINT', `The trial ended before its time (${reason}): ${message}`);
    const record = await readRun(folder);
    const [stepSeconds, evaluationSeconds] = [record.steps, record.evaluations].map((list) =>
      list.map(({ seconds }) => seconds),
    );
    const whole = record.ended?.seconds ?? Number.NaN;
    // The first step and the first evaluation compile the programs, which happens once.
    const once = whole - sum(stepSeconds) - sum(evaluationSeconds);
    const [firstStep = 0, ...laterSteps] = stepSeconds ?? [];
    const [firstEvaluation = 0, lastEvaluation = firstEvaluation] = evaluationSeconds ?? [];
    const evaluations = evaluation.perTag === 0 ? 0 : evaluation.every > 0 ? Math.ceil(steps / evaluation.every) : 1;
    const perStep = laterSteps.length > 0 ? sum(laterSteps) / laterSteps.length : firstStep;
    return once + firstStep + (steps - 1) * perStep + firstEvaluation + evaluations * lastEvaluation;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function sum(values: readonly number[] = []): number {
  return values.reduce((total, value) => total + value, 0);
}
