/**
 * Ctrl-C: the first one asks the work to stop where it can go on later, the second one ends the process at once. SIGTERM, which is
 * what job schedulers send, counts as the first.
 */
import { exitCodes } from './failure.ts';
import { note } from './terminal.ts';

export interface Interrupt extends Disposable {
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Wrappers such as npm pass a Ctrl-C on that has reached this process already: what comes so soon is the same one. */
const sameMs = 500;

/** Listens until it is disposed of. `message` tells what happens now. */
export function onInterrupt(message: string): Interrupt {
  const controller = new AbortController();
  let firstMs = Number.NEGATIVE_INFINITY;
  const stop = () => {
    const nowMs = performance.now();
    if (nowMs - firstMs < sameMs) return;
    if (controller.signal.aborted) process.exit(exitCodes.stopped);
    firstMs = nowMs;
    note(`\n${message} Press Ctrl-C again to end at once.`);
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    },
  };
}
