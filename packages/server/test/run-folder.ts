/** Runs as a trainer leaves them, made for tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventLog, type JsonValue } from '@gvu/core';
import type { EvaluationEvent, RolloutEvent, RunStarted, StepEvent } from '@gvu/rl';

/** A folder of runs that goes away with the test. */
export async function runsFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'gvu-server-'));
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }) };
}

export async function openRun(runs: string, run: string): Promise<EventLog> {
  return await EventLog.open(join(runs, run));
}

/** Events are plain data, which only their interfaces do not say. */
export function json(data: StepEvent | RolloutEvent | EvaluationEvent | RunStarted): JsonValue {
  return JSON.parse(JSON.stringify(data));
}

export const started = (run: string): RunStarted => ({
  run,
  config: { seed: 1 },
  backend: { name: 'shapes', version: '1', parameters: 1000, policy: 'autoregressive' },
  image: { width: 2, height: 2, decisions: 4 },
  trainable: 100,
  versions: { gvu: '0.1.0' },
});

export const step = (n: number): StepEvent => ({
  step: n,
  steps: 100,
  seconds: 1.5,
  elapsedSeconds: 1.5 * n,
  metrics: { 'reward/mean': n / 100, kl: null },
});

export const rollout = (n: number, image: string | null, sample = 0): RolloutEvent => ({
  step: n,
  group: 0,
  sample,
  seed: 1,
  prompt: 'a red circle',
  tag: 'single',
  reward: 0.5,
  rewards: { gvu: 0.5 },
  advantage: -1.25,
  traces: { gvu: { tokens: ['a', 'red', 'circle'], logProbs: [-0.1, -0.5, -2] } },
  teacher: { kind: 'live', version: '1', representation: 'emitted-tokens' },
  sampler: { temperature: 1, topK: 0, topP: 1, minP: 0 },
  logProb: -3.5,
  image,
});

export const evaluation = (n: number, images: readonly (string | null)[]): EvaluationEvent => ({
  step: n,
  seconds: 2,
  score: 'detector',
  overall: { detector: 0.25 },
  byTag: { single: { n: 4, mean: { detector: 0.25 } } },
  drawings: images.map((image, sample) => ({
    prompt: 'a red circle',
    tag: 'single',
    sample,
    rewards: { detector: 0 },
    image,
  })),
});
