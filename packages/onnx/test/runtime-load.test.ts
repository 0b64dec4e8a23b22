/** Many runs and many sessions: what each gets, what stays behind, and how much time is left to the main thread. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { expect, test } from 'vitest';
import { Runtime } from '../src/runtime/runtime.ts';
import { tensorData, toNumbers } from '../src/tensor-data.ts';
import { addProgram, slowProgram, stepProgram } from './tiny-program.ts';

const rate = tensorData('float32', [1], [0.5]);

test('200 runs at once over several sessions give each its own result, while sessions come and go', async () => {
  await using runtime = await Runtime.create();
  const length = 4;
  const sessions = await Promise.all([0, 1, 2, 3, 4].map((amount) => runtime.load(addProgram(amount, length))));
  const runs = Array.from({ length: 200 }, async (_, i) => {
    const x = tensorData('float32', [length], Array(length).fill(i * 10));
    const result = await sessions[i % 5]?.run({ x }, { fetch: ['y'] });
    return result && toNumbers(result.y);
  });
  // All of them are queued; these come behind.
  const disposals = sessions.slice(1).map((session) => session.dispose());
  const results = await Promise.all(runs);
  expect(results).toEqual(Array.from({ length: 200 }, (_, i) => Array(length).fill(i * 10 + (i % 5))));
  await Promise.all(disposals);
  expect(runtime.memory().sessions).toHaveLength(1);
});

test('memory does not grow with the number of steps', async () => {
  await using runtime = await Runtime.create();
  const size = 250_000; // 1 MB
  await using session = await runtime.load(stepProgram(size), { use: 'training' });
  await using variables = await runtime.variables({ w: { dtype: 'float32', shape: [size] } });
  const w = { dtype: 'float32', shape: [size], data: new Float32Array(size) } as const;
  const steps = async (count: number) => {
    for (let step = 0; step < count; step++) {
      await session.run({ rate }, { variables, update: { next: 'w' } });
      await session.run({ w, rate }, { fetch: ['next'] });
    }
    return runtime.memory().rssBytes;
  };
  const before = await steps(150);
  // Another 150 steps move 600 MB between the threads and copy as much inside.
  const after = await steps(150);
  expect(after - before).toBeLessThan(60e6);
});

test('nor with the number of sessions, variables and runtimes that came and went', async () => {
  const round = async () => {
    await using runtime = await Runtime.create();
    for (let i = 0; i < 10; i++) {
      await using session = await runtime.load(stepProgram(100_000 + i));
      await using variables = await runtime.variables({ w: { dtype: 'float32', shape: [100_000 + i] } });
      await session.run({ rate }, { variables, update: { next: 'w' } });
    }
  };
  for (let i = 0; i < 2; i++) await round();
  const before = process.memoryUsage.rss();
  for (let i = 0; i < 4; i++) await round();
  expect(process.memoryUsage.rss() - before).toBeLessThan(60e6);
});

test('the main thread stays free while the worker computes without a pause', async () => {
  await using runtime = await Runtime.create();
  const size = 512;
  await using session = await runtime.load(slowProgram({ size, count: 100 }), { use: 'training' });
  await using variables = await runtime.variables({ x: { dtype: 'float32', shape: [size, size] } });
  const controller = new AbortController();
  const train = async () => {
    while (!controller.signal.aborted) await session.run({}, { variables, update: { y: 'x' } });
  };
  // Two loops, so that one run always waits behind the other.
  const training = [train(), train()];
  await session.run({}, { variables, fetch: ['y'] });
  // A busy machine delays every thread now and then, so the best of some windows counts. One run takes far longer than the
  // limit: a main thread that took part in it would be late in every window.
  const longestDelaysMs: number[] = [];
  while (longestDelaysMs.length < 24 && Math.min(...longestDelaysMs) > 20) {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    await new Promise((resolve) => setTimeout(resolve, 250));
    delay.disable();
    expect(delay.count).toBeGreaterThan(10);
    longestDelaysMs.push(delay.max / 1e6);
  }
  controller.abort();
  await Promise.all(training);
  expect(Math.min(...longestDelaysMs)).toBeLessThan(20);
});
