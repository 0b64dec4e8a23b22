/** Runs for the tests: real folders, written through the event log as the trainer does it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventLog, fillUniform, type JsonValue, randomStream } from '@gvu/core';
import type { EvaluatedDrawing, EvaluationEvent, RolloutEvent, RunEvents } from '@gvu/rl';

/** A 1 x 1 PNG. */
export const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
);

/** A temporary folder with an open event log; both are gone when it is disposed of. */
export class RunFolder implements AsyncDisposable {
  readonly path: string;
  readonly #log: EventLog;

  private constructor(path: string, log: EventLog) {
    this.path = path;
    this.#log = log;
  }

  static async make(): Promise<RunFolder> {
    const path = await mkdtemp(join(tmpdir(), 'gvu-evals-'));
    return new RunFolder(path, await EventLog.open(path));
  }

  append<Type extends keyof RunEvents>(type: Type, data: RunEvents[Type]): void {
    // Interfaces have no index signature, so the compiler does not see that these are JSON.
    this.#log.append(type, data as unknown as JsonValue);
  }

  image(bytes: Uint8Array = png, extension = 'png'): Promise<string> {
    return this.#log.putBlob(bytes, extension);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log[Symbol.asyncDispose]();
    await rm(this.path, { recursive: true, force: true });
  }
}

export const started: RunEvents['run.started'] = {
  run: 'test-run',
  config: { seed: 7, steps: 4, backend: { use: 'shapes' }, rewards: [{ use: 'gvu', weight: 1 }] },
  backend: { name: 'shapes', version: '1.2.3', parameters: 3_400_000, policy: 'regular' },
  image: { width: 32, height: 32, decisions: 64 },
  trainable: 120_000,
  versions: { gvu: '0.1.0', node: 'v20.11.0' },
};

export function stepEvent(
  step: number,
  metrics: RunEvents['step']['metrics'],
  { steps = 4 }: { steps?: number } = {},
): RunEvents['step'] {
  return { step, steps, seconds: 1.5, elapsedSeconds: 1.5 * step, metrics };
}

/** Scores of drawings, by category, in the order in which they were drawn; image names are given to the first drawings of each. */
export function evaluationEvent(
  step: number,
  scores: Readonly<Record<string, readonly (number | null)[]>>,
  { images = [] }: { images?: readonly string[] } = {},
): EvaluationEvent {
  const drawings = Object.entries(scores).flatMap(([tag, values]) =>
    values.map(
      (value, i): EvaluatedDrawing => ({
        prompt: `a photo of ${tag} number ${i}`,
        tag,
        sample: 0,
        rewards: { detector: value },
        image: images[i] ?? null,
      }),
    ),
  );
  const means = Object.entries(scores).map(([tag, values]): [string, number, number] => [
    tag,
    values.length,
    values.reduce((sum: number, value) => sum + (value ?? 0), 0) / values.length,
  ]);
  return {
    step,
    seconds: 2,
    score: 'detector',
    overall: { detector: means.reduce((sum, [, , mean]) => sum + mean, 0) / means.length },
    byTag: Object.fromEntries(means.map(([tag, n, mean]) => [tag, { n, mean: { detector: mean } }])),
    drawings,
  };
}

export function rolloutEvent(changes: Partial<RolloutEvent> = {}): RolloutEvent {
  return {
    step: 1,
    group: 0,
    sample: 0,
    seed: 7,
    prompt: 'a photo of a red circle',
    tag: 'color',
    reward: 0.5,
    rewards: { gvu: 0.5 },
    advantage: 0.25,
    traces: { gvu: { tokens: ['a', 'red', 'circle'], logProbs: [-0.1, -2.5, -0.4] } },
    teacher: { kind: 'frozen', version: 'base', representation: 'emitted-tokens' },
    sampler: { temperature: 1 },
    logProb: -1.2,
    image: null,
    ...changes,
  };
}

/** Zeros and ones, each 1 with the given probability. */
export function judgements(count: number, { share, seed }: { share: number; seed: number }): number[] {
  const out = new Float32Array(count);
  fillUniform(out, randomStream(seed, 'test/judgements').at());
  return [...out].map((u) => (u < share ? 1 : 0));
}
