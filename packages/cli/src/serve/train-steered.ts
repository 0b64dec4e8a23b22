/** A training run that takes orders from the process that started it, and goes on alone when that is gone. */
import { basename, resolve } from 'node:path';
import type { TrainResult } from '@gvu/rl';
import type { Order, OrderAnswer } from './orders.ts';
import { Steering } from './steering.ts';
import type { ServedHooks } from './train-served.ts';

export async function trainSteered(
  folder: string,
  signal: AbortSignal,
  work: (hooks: ServedHooks) => Promise<TrainResult>,
): Promise<TrainResult> {
  const run = basename(resolve(folder));
  using steering = new Steering(run);
  const tell = (answer: OrderAnswer): void => void process.send?.(answer, () => undefined); // who asked may be gone
  const obey = ({ id, order }: Order): void => {
    steering[order](run).then(
      (step) => tell({ id, ...(typeof step === 'number' && { step }) }),
      (error) => tell({ id, error: error instanceof Error ? error.message : String(error) }),
    );
  };
  // Nobody is left who could end a pause.
  const alone = (): void => void steering.resume(run);
  process.on('message', obey);
  process.once('disconnect', alone);
  try {
    return await work({
      signal: steering.signal(signal),
      onAdapter: () => undefined,
      beforeStep: (pause) => steering.beforeStep(pause),
    });
  } finally {
    process.off('message', obey);
    process.off('disconnect', alone);
    if (process.connected) process.disconnect(); // it would keep this process
  }
}
