/** Runs of a reproduction side by side, each in a process of its own. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { RunConfig, TrainProgress, TrainResult } from '@gvu/rl';
import type { EngineOptions } from '../commands/shared-options.ts';

export interface ChildTask {
  readonly config: RunConfig;
  readonly folder: string;
  readonly engine: EngineOptions;
}

export type ChildMessage =
  | { readonly progress: TrainProgress }
  | { readonly ended: Pick<TrainResult, 'reason' | 'message' | 'step'> }
  | { readonly failed: string };

export interface TrainInChild {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TrainProgress) => void;
}

/** How a run ended; `failed` with its text when it could not go on. Aborting the signal ends it after its step, with a checkpoint. */
export async function trainInChild(
  task: ChildTask,
  { signal, onProgress }: TrainInChild,
): Promise<Pick<TrainResult, 'reason' | 'message' | 'step'>> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const child = fork(fileURLToPath(new URL(`./train-child.${extension}`, import.meta.url)), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const stop = () => child.kill('SIGTERM');
  signal.addEventListener('abort', stop);
  let result: Pick<TrainResult, 'reason' | 'message' | 'step'> | undefined;
  child.on('message', (message) => {
    const said = message as ChildMessage;
    if ('progress' in said) onProgress(said.progress);
    else if ('ended' in said) result = said.ended;
    else result = { reason: 'failed', message: said.failed, step: 0 };
  });
  child.send(task);
  if (signal.aborted) stop();
  try {
    const [code, killedBy] = await new Promise<readonly [number | null, string | null]>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (...how) => resolve(how));
    });
    return (
      result ?? {
        reason: 'failed',
        message: `The process of the run ended with ${killedBy ?? `exit code ${code}`}.`,
        step: 0,
      }
    );
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Does `work` for each item, at most `limit` at a time, in order; after an abort, nothing new begins. */
export async function inParallel<T>(
  items: readonly T[],
  { limit, signal }: { readonly limit: number; readonly signal: AbortSignal },
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined && !signal.aborted; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
}
