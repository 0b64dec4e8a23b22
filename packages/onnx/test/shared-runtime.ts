/** One runtime for all tests of a file: starting a worker takes longer than most of them. */
import { afterAll, beforeAll } from 'vitest';
import { Runtime } from '../src/runtime/runtime.ts';

let runtime: Runtime | undefined;

/** Call at the top level of a test file; then `sharedRuntime()` is there inside its tests. */
export function useSharedRuntime(): void {
  beforeAll(async () => {
    runtime = await Runtime.create({ threads: 1 });
  });
  afterAll(() => runtime?.dispose());
}

export function sharedRuntime(): Runtime {
  if (!runtime) throw new Error('Call useSharedRuntime() at the top of the test file.');
  return runtime;
}
