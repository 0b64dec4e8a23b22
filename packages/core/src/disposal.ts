/**
 * Undoing things in the reverse order of doing them, whatever the single steps do.
 *
 * Every step runs even when one before it failed; the failures are collected. Node 20 has no AsyncDisposableStack, and
 * that one would nest its failures as SuppressedErrors, where a report needs a flat list with a name for each.
 */

export interface Cleanup {
  /** What is undone, for messages. */
  readonly name: string;
  run(): void | PromiseLike<void>;
}

export interface CleanupFailure {
  readonly name: string;
  readonly cause: unknown;
}

/** Runs and removes the steps from the last to the first, also those that a step adds; returns the failures. */
export async function runCleanups(cleanups: Cleanup[]): Promise<CleanupFailure[]> {
  const failures: CleanupFailure[] = [];
  for (let step = cleanups.pop(); step !== undefined; step = cleanups.pop()) {
    try {
      await step.run();
    } catch (cause) {
      failures.push({ name: step.name, cause });
    }
  }
  return failures;
}
