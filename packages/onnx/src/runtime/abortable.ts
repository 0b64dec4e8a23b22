/**
 * Aborting a run. onnxruntime-node 1.30 has no way to stop a model that runs (`RunOptions.terminate` is not passed on), so
 * an aborted run is abandoned: its promise rejects at once, it is skipped if it has not begun, and otherwise its results
 * are thrown away when it ends. Which side was first is decided by one shared number, so a run never half counts.
 */
import { onnxErrors } from '../errors.ts';
import { runState } from './protocol.ts';

/** Runs `start` and rejects with GVU_RUNTIME_ABORTED as soon as the signal fires, unless the run has been committed. */
export function abortable<T>(
  signal: AbortSignal | undefined,
  start: (state: Int32Array | undefined) => Promise<T>,
): Promise<T> {
  if (signal === undefined) return start(undefined);
  if (signal.aborted) return Promise.reject(aborted(signal));
  const state = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  return new Promise((resolve, reject) => {
    const abort = () => {
      if (Atomics.compareExchange(state, 0, runState.open, runState.aborted) === runState.open) reject(aborted(signal));
    };
    signal.addEventListener('abort', abort, { once: true });
    start(state)
      .finally(() => signal.removeEventListener('abort', abort))
      .then(resolve, reject);
  });
}

function aborted(signal: AbortSignal): Error {
  return onnxErrors.error('GVU_RUNTIME_ABORTED', 'The run was aborted.', { cause: signal.reason });
}
