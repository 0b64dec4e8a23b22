import type { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { Runtime } from '../src/runtime/runtime.ts';
import { tensorData, toNumbers } from '../src/tensor-data.ts';
import { slowProgram, stepProgram } from './tiny-program.ts';

const w = tensorData('float32', [1], [8]);
const rate = tensorData('float32', [1], [0.5]);

/** A runtime, and the thread that it started. */
async function runtimeAndWorker(): Promise<{ runtime: Runtime; worker: Worker }> {
  const started = new Promise<Worker>((resolve) => process.once('worker', resolve));
  return { runtime: await Runtime.create(), worker: await started };
}

describe('the end of a runtime', () => {
  test('lets the queue of a session finish before the session goes', async () => {
    await using runtime = await Runtime.create();
    const session = await runtime.load(stepProgram(1));
    const queued = [1, 2, 3].map(() => session.run({ w, rate }, { fetch: ['next'] }));
    await Promise.all([session.dispose(), session.dispose()]);
    for (const run of queued) expect(toNumbers((await run).next)).toEqual([4]);
    await expect(session.run({ w, rate })).rejects.toMatchObject({ code: 'GVU_RUNTIME_CLOSED' });
    expect(runtime.memory().sessions).toEqual([]);
  });

  test('rejects what waits, and everything asked for later; disposing again does nothing', async () => {
    const runtime = await Runtime.create();
    const session = await runtime.load(slowProgram({ size: 256, count: 8 }));
    const variables = await runtime.variables({ x: { dtype: 'float32', shape: [256, 256] } });
    const waiting = [1, 2, 3, 4].map(() => session.run({}, { variables }));
    const settled = Promise.allSettled(waiting);
    // Whatever is being disposed of already goes with it.
    await Promise.all([session.dispose(), variables.dispose(), runtime.dispose(), runtime.dispose()]);
    for (const outcome of await settled)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'GVU_RUNTIME_CLOSED' } });
    const closed = { code: 'GVU_RUNTIME_CLOSED' };
    await expect(session.run({}, { variables })).rejects.toMatchObject(closed);
    await expect(runtime.load(stepProgram(1))).rejects.toMatchObject(closed);
    await expect(runtime.variables({ w })).rejects.toMatchObject(closed);
    await expect(variables.read()).rejects.toMatchObject(closed);
    await session.dispose();
    await variables.dispose();
    await runtime.dispose();
    await runtime.idle();
  });

  test('comes for all who wait when the worker dies', async () => {
    const { runtime, worker } = await runtimeAndWorker();
    const session = await runtime.load(stepProgram(1));
    await using variables = await runtime.variables({ w });
    // Not a request: the worker throws where nothing catches.
    worker.postMessage(null);
    const waiting = [session.run({ w, rate }), session.run({ rate }, { variables }), runtime.load(stepProgram(2))];
    const gone = {
      code: 'GVU_RUNTIME_CRASHED',
      message: expect.stringContaining('The worker of the runtime is gone.'),
    };
    for (const outcome of await Promise.allSettled(waiting))
      expect(outcome).toMatchObject({ status: 'rejected', reason: gone });
    await expect(session.run({ w, rate })).rejects.toMatchObject({ ...gone, cause: expect.any(TypeError) });
    await expect(runtime.variables({ w })).rejects.toMatchObject(gone);
    await runtime.idle();
    await session.dispose();
    await runtime.dispose();
  });

  test('comes with a code when the thread just ends', async () => {
    const { runtime, worker } = await runtimeAndWorker();
    await worker.terminate();
    await expect(runtime.load(stepProgram(1))).rejects.toMatchObject({
      code: 'GVU_RUNTIME_CRASHED',
      message: expect.stringContaining('exit code 1'),
    });
    await runtime.dispose();
  });

  test('idle waits for all that was asked for, runs that were abandoned too', async () => {
    await using runtime = await Runtime.create();
    await runtime.idle();
    await using session = await runtime.load(slowProgram({ size: 256, count: 16 }));
    const x = { dtype: 'float32', shape: [256, 256], data: new Float32Array(256 * 256) } as const;
    const controller = new AbortController();
    let done = 0;
    const first = session.run({ x }).then(() => done++);
    const second = session.run({ x }, { signal: controller.signal }).catch(() => done++);
    controller.abort();
    await runtime.idle();
    expect(done).toBe(2);
    await Promise.all([first, second]);
  });
});
