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
    const forget = onAbort(signal, abort);
    start(state).finally(forget).then(resolve, reject);
  });
}

/** Whom a signal concerns. One listener serves all of them: Node warns of a leak at the eleventh on one signal. */
const waiting = new WeakMap<AbortSignal, { readonly callbacks: Set<() => void>; readonly fire: () => void }>();

/** Calls `callback` when the signal fires, until the function returned is called. */
function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const { callbacks, fire } = waiting.get(signal) ?? listen(signal);
  callbacks.add(callback);
  return () => {
    callbacks.delete(callback);
    if (callbacks.size > 0) return;
    // A listener keeps a signal of `AbortSignal.any` or `timeout` from being collected.
    signal.removeEventListener('abort', fire);
    waiting.delete(signal);
  };
}

function listen(signal: AbortSignal) {
  const callbacks = new Set<() => void>();
  const fire = () => {
    for (const callback of callbacks) callback();
  };
  const listener = { callbacks, fire };
  waiting.set(signal, listener);
  signal.addEventListener('abort', fire, { once: true });
  return listener;
}

function aborted(signal: AbortSignal): Error {
  return onnxErrors.error('GVU_RUNTIME_ABORTED', 'The run was aborted.', { cause: signal.reason });
}
