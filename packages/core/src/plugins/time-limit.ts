/**
 * A limit for work of strangers. The work itself cannot be stopped from outside: whoever gives it up aborts the signal
 * that it was handed. Work that blocks the thread without end is beyond this; that takes another process.
 */

/**
 * Settles as `work` does, or rejects with `expired()` after `timeoutMs`, or with the reason of `signal` when that is
 * aborted first (the work is not started when it already is). What the work does afterwards is ignored.
 */
export async function withTimeLimit<T>(
  work: () => T | PromiseLike<T>,
  { timeoutMs, signal, expired }: { timeoutMs: number; signal?: AbortSignal; expired: () => Error },
): Promise<T> {
  signal?.throwIfAborted();
  const given = new AbortController();
  const limit = new Promise<never>((_, reject) => {
    // The timer keeps the process alive on purpose: work that waits for nothing would otherwise end it without a word.
    const timer = setTimeout(() => reject(expired()), timeoutMs);
    given.signal.addEventListener('abort', () => clearTimeout(timer));
    signal?.addEventListener('abort', () => reject(signal.reason), { signal: given.signal });
  });
  try {
    return await Promise.race([limit, Promise.resolve().then(work)]);
  } finally {
    given.abort();
  }
}
