/** A run as the trainer leaves it, for servers to be tested with: every kind of event, and pictures. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventLog, type JsonValue } from '@gvu/core';
import type { EvaluationEvent, RolloutEvent, RunStarted, StepEvent } from '@gvu/rl';

/** A PNG of one pixel. */
const pixel = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
  'base64',
);

const json = (data: StepEvent | RolloutEvent | EvaluationEvent | RunStarted): JsonValue =>
  JSON.parse(JSON.stringify(data));

export class RecordedRun implements AsyncDisposable {
  /** Folder of the runs, of which there is one. */
  readonly runs: string;
  readonly run = 'first';
  readonly #log: EventLog;
  readonly #image: string;
  #step = 0;

  private constructor(runs: string, log: EventLog, image: string) {
    this.runs = runs;
    this.#log = log;
    this.#image = image;
  }

  /** A run of so many steps that goes on. */
  static async create(steps: number): Promise<RecordedRun> {
    const runs = await mkdtemp(join(tmpdir(), 'gvu-conformance-'));
    const log = await EventLog.open(join(runs, 'first'), { flushEveryMs: 5 });
    const run = new RecordedRun(runs, log, await log.putBlob(pixel, 'png'));
    log.append('run.started', json(started));
    log.append('evaluation', json(run.#evaluation()));
    await run.steps(steps);
    return run;
  }

  /** Trains on for so many steps, each of two rollouts. */
  async steps(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.#step++;
      for (const sample of [0, 1]) this.#log.append('rollout', json(this.#rollout(sample)));
      this.#log.append('step', json(stepEvent(this.#step)));
      if (this.#step % 5 === 0) {
        this.#log.append('checkpoint', { step: this.#step, path: `checkpoints/${this.#step}` });
        this.#log.append('guard', { step: this.#step, guard: 'idle', level: 'warn', message: 'No gradient.' });
        this.#log.append('evaluation', json(this.#evaluation()));
        this.#log.append('exam', { step: this.#step, name: 'shapes', scores: { two: { correct: 1, n: 2 } } });
      }
    }
    await this.#log.flush();
  }

  /** Events that no channel but `log` has, of so many bytes. */
  async fill(count: number, bytes: number): Promise<void> {
    const text = 'x'.repeat(bytes);
    for (let i = 0; i < count; i++) this.#log.append('conformance.filler', text);
    await this.#log.flush();
  }

  #rollout(sample: number): RolloutEvent {
    return {
      ...{ step: this.#step, group: 0, sample, seed: 1, prompt: 'a red circle', tag: 'colors' },
      ...{ reward: 0.5, rewards: { gvu: 0.5 }, advantage: sample - 0.5, logProb: -1.5, image: this.#image },
      traces: { gvu: { tokens: ['a', 'red', 'circle'], logProbs: [-0.1, -0.5, -2] } },
      teacher: { kind: 'frozen', version: '1', representation: 'emitted-tokens' },
      sampler: { temperature: 1, topK: 0, topP: 1, minP: 0 },
    };
  }

  #evaluation(): EvaluationEvent {
    const drawings = [0, 1, 2].map((sample) => ({
      ...{ prompt: 'a red circle', tag: 'colors', sample, rewards: { detector: 1 }, image: this.#image },
    }));
    const means = { overall: { detector: 0.5 }, byTag: { colors: { n: 3, mean: { detector: 0.5 } } } };
    return { step: this.#step, seconds: 1, score: 'detector', ...means, drawings };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log[Symbol.asyncDispose]();
    await rm(this.runs, { recursive: true, force: true });
  }
}

const started: RunStarted = {
  run: 'first',
  config: {},
  backend: { name: 'shapes', version: '1', parameters: 1000, policy: 'autoregressive' },
  image: { width: 1, height: 1, decisions: 4 },
  trainable: 100,
  versions: {},
};

const stepEvent = (step: number): StepEvent => ({
  ...{ step, steps: 1000, seconds: 1, elapsedSeconds: step, metrics: { 'reward/mean': 0.5, kl: null } },
});
