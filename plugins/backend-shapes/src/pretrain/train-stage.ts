/**
 * Trains one stage: runs its program step by step over variables that stay in the runtime, and can stop and go on anywhere.
 *
 * Exact resume needs nothing but the variables and the step, because the feeds of a step are a pure function of it: a run that
 * was stopped ends with the same bits as one that was not. A program's outputs `next x` become the variables `x`; all its
 * other outputs are scalars to report.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  openSafetensors,
  type Program,
  type Runtime,
  readTensors,
  type TensorData,
  type VariableInit,
  type Variables,
  writeSafetensors,
} from '@gvu/onnx';
import { shapesErrors } from '../errors.ts';

export type Feeds = Readonly<Record<string, TensorData>>;

export interface Stage {
  readonly name: string;
  readonly steps: number;
  readonly program: Program;
  /** First values. */
  readonly variables: Readonly<Record<string, VariableInit>>;
  /** What a step, from 0, is fed beside the variables: a pure function. */
  readonly feeds: (step: number) => Promise<Feeds>;
  /** Everything that decides the run: a checkpoint of another one is refused. */
  readonly identity: unknown;
}

/** Means of the reported scalars over some steps. */
export interface CurvePoint {
  /** Steps done. */
  readonly step: number;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface StageProgress extends CurvePoint {
  readonly stage: string;
  readonly steps: number;
  readonly stepsPerSecond: number;
  readonly secondsLeft: number;
}

export interface TrainOptions {
  /** Where the checkpoint lies, which is continued from if there is one. */
  readonly folder: string;
  readonly checkpointEvery: number;
  /** Steps between two points of the curve. */
  readonly reportEvery: number;
  readonly onProgress?: ((progress: StageProgress) => void) | undefined;
  /** Gets the variables after this many steps, too. */
  readonly snapshots?: Readonly<Record<number, (values: Feeds) => Promise<void>>>;
  /** Writes a checkpoint and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface TrainedStage {
  readonly values: Feeds;
  readonly curve: readonly CurvePoint[];
  /** Of training in all sessions together. */
  readonly seconds: number;
}

/** How many steps ahead feeds are made, so that the runtime never waits for them. */
const lookahead = 2;

/** Throws GVU_SHAPES_RESUME when the folder has a checkpoint of another run. */
export async function trainStage(runtime: Runtime, stage: Stage, options: TrainOptions): Promise<TrainedStage> {
  const { name, steps, program } = stage;
  const { checkpointEvery, reportEvery, onProgress, snapshots = {}, signal } = options;
  const file = join(options.folder, `${name}.checkpoint.safetensors`);
  const saved = await readCheckpoint(file, stage);
  await using session = await runtime.load(program, { use: 'training' });
  await using variables = await runtime.variables(saved?.values ?? stage.variables);
  const update = Object.fromEntries(Object.keys(stage.variables).map((variable) => [`next ${variable}`, variable]));
  const curve = [...(saved?.curve ?? [])];
  const from = saved?.step ?? 0;
  const [start, before] = [performance.now(), saved?.seconds ?? 0];
  const seconds = () => before + (performance.now() - start) / 1000;
  const gathered = new Map(Object.entries(saved?.pending ?? {}));
  const ahead: Promise<Feeds>[] = [];

  for (let step = from; step < steps; step++) {
    while (ahead.length < Math.min(lookahead, steps - step)) ahead.push(quiet(stage.feeds(step + ahead.length)));
    const feeds = await ahead.shift();
    const running = session.run<string>(feeds ?? {}, { variables, update });
    if (step + lookahead < steps) ahead.push(quiet(stage.feeds(step + lookahead)));
    for (const [metric, value] of Object.entries(await running)) {
      gathered.set(metric, [...(gathered.get(metric) ?? []), Number(value.data[0])]);
    }
    const done = step + 1;
    if (done % reportEvery === 0 || done === steps) {
      const point = {
        step: done,
        metrics: Object.fromEntries([...gathered].map(([metric, all]) => [metric, mean(all)])),
      };
      gathered.clear();
      curve.push(point);
      const stepsPerSecond = (done - from) / Math.max((performance.now() - start) / 1000, 1e-9);
      onProgress?.({ ...point, stage: name, steps, stepsPerSecond, secondsLeft: (steps - done) / stepsPerSecond });
    }
    await snapshots[done]?.(await variables.read());
    // After the last step too: a later stage that is stopped must not cost this one.
    if (done % checkpointEvery === 0 || done === steps || signal?.aborted) {
      const state = { step: done, curve, pending: Object.fromEntries(gathered), seconds: seconds() };
      await writeCheckpoint(file, variables, { stage, ...state });
    }
    if (signal?.aborted) await Promise.allSettled(ahead);
    signal?.throwIfAborted();
  }
  return { values: await variables.read(), curve, seconds: seconds() };
}

interface Saved {
  readonly step: number;
  readonly curve: readonly CurvePoint[];
  /** Scalars of the steps since the last point of the curve. */
  readonly pending: Readonly<Record<string, number[]>>;
  readonly seconds: number;
  readonly values: Feeds;
}

async function writeCheckpoint(
  file: string,
  variables: Variables,
  { stage, ...state }: Omit<Saved, 'values'> & { stage: Stage },
): Promise<void> {
  const metadata = { identity: JSON.stringify(stage.identity), state: JSON.stringify(state) };
  await writeSafetensors(file, await variables.read(), metadata);
}

async function readCheckpoint(file: string, stage: Stage): Promise<Saved | undefined> {
  const exists = await stat(file).catch(() => undefined);
  if (!exists) return undefined;
  const { metadata, tensors } = await openSafetensors(file);
  if (metadata.get('identity') !== JSON.stringify(stage.identity)) {
    throw shapesErrors.error('GVU_SHAPES_RESUME', `'${file}' is a checkpoint of another run.`, {
      hint: 'Continue with the options and the seed that it was begun with, or give another folder.',
    });
  }
  // Written by `writeCheckpoint`, which the identity vouches for.
  const state = JSON.parse(metadata.get('state') ?? '') as Omit<Saved, 'values'>;
  return { ...state, values: Object.fromEntries(await readTensors(tensors.values())) };
}

/** A promise that is awaited later: until then its failure is not an unhandled one. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
}
