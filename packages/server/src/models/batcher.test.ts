import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Batcher, type BatcherOptions } from './batcher.ts';

const silent = { signal: new AbortController().signal, onRunning: () => undefined };

function doubling(options: Partial<BatcherOptions<number, number>> = {}) {
  const batches: number[][] = [];
  const batcher = new Batcher<number, number>({
    maxRows: 4,
    windowMs: 5,
    maxWaiting: 100,
    turn: (work) => work(),
    run: async (rows) => {
      batches.push([...rows]);
      await sleep(5);
      return rows.map((row) => 2 * row);
    },
    ...options,
  });
  return { batcher, batches };
}

test('what comes together goes together, and everybody gets their own answers', async () => {
  const { batcher, batches } = doubling();
  const jobs = [[1], [2, 3], [4, 5, 6, 7, 8, 9], [10]];
  const answers = await Promise.all(jobs.map((rows) => batcher.submit(rows, silent)));
  expect(answers).toEqual(jobs.map((rows) => rows.map((row) => 2 * row)));
  expect(batches).toEqual([
    [1, 2, 3, 4],
    [5, 6, 7, 8],
    [9, 10],
  ]);
});

test('rows with different keys do not go together', async () => {
  const { batcher, batches } = doubling({ keyOf: (row) => String(row % 2) });
  await Promise.all([1, 2, 3, 4].map((row) => batcher.submit([row], silent)));
  expect(batches).toEqual([
    [1, 3],
    [2, 4],
  ]);
});

test('too many waiting: the next is refused at once, with the time after which to come back', async () => {
  const { batcher, batches } = doubling({ maxWaiting: 8 });
  const accepted = [1, 2].map(() => batcher.submit([1, 2, 3, 4], silent));
  await expect(batcher.submit([9], silent)).rejects.toMatchObject({
    code: 'GVU_SERVER_OVERLOADED',
    details: { retryAfterMs: 2000 },
  });
  expect(batches.length).toBeLessThan(2);
  await Promise.all(accepted);
  expect(await batcher.submit([9], silent)).toEqual([18]);
});

test('a job larger than the queue is served when nothing else waits', async () => {
  const { batcher } = doubling({ maxWaiting: 2 });
  expect(await batcher.submit([1, 2, 3, 4, 5], silent)).toEqual([2, 4, 6, 8, 10]);
});

test('what is cancelled while waiting is never run', async () => {
  const { batcher, batches } = doubling();
  const abort = new AbortController();
  const cancelled = batcher.submit([1], { ...silent, signal: abort.signal });
  const kept = batcher.submit([2], silent);
  abort.abort(new Error('gone'));
  await expect(cancelled).rejects.toThrow('gone');
  expect(await kept).toEqual([4]);
  expect(batches).toEqual([[2]]);
});

test('a running batch is aborted only when nobody wants it any more', async () => {
  const aborts = [new AbortController(), new AbortController()];
  const signals: AbortSignal[] = [];
  const { batcher } = doubling({
    run: async (rows, signal) => {
      signals.push(signal);
      await sleep(100, undefined, { signal });
      return rows;
    },
  });
  const jobs = aborts.map(({ signal }, i) => batcher.submit([i], { ...silent, signal }));
  const settled = Promise.allSettled(jobs);
  await sleep(30);
  aborts[0]?.abort();
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  aborts[1]?.abort();
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});

test('the mistake of one is not the failure of others', async () => {
  const { batcher } = doubling({
    run: async (rows) => {
      if (rows.includes(13)) throw new Error('unlucky');
      return rows;
    },
  });
  const jobs = await Promise.allSettled([1, 13, 2].map((row) => batcher.submit([row], silent)));
  expect(jobs).toMatchObject([{ value: [1] }, { reason: { message: 'unlucky' } }, { value: [2] }]);
});
