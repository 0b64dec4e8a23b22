import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { abortable } from './abortable.ts';

test('one signal for many runs has one listener, and none when they have ended', async () => {
  const warnings: Error[] = [];
  const collect = (warning: Error) => warnings.push(warning);
  process.on('warning', collect);
  try {
    const { signal } = new AbortController();
    const ends: (() => void)[] = [];
    const runs = Array.from({ length: 30 }, () => abortable(signal, () => new Promise<void>((end) => ends.push(end))));
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    ends[0]?.();
    await runs[0];
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    for (const end of ends) end();
    await Promise.all(runs);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);

    const again = abortable(signal, async () => 'later');
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    expect(await again).toBe('later');
    // Warnings come a tick later.
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
  } finally {
    process.off('warning', collect);
  }
});

test('the signal rejects every run that waits, and no other', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const done = await abortable(signal, async () => 'done');
  const runs = Array.from({ length: 20 }, () => abortable(signal, () => new Promise<never>(() => {})));
  const reason = new Error('enough');
  controller.abort(reason);
  const outcomes = await Promise.allSettled(runs);
  for (const outcome of outcomes)
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'GVU_RUNTIME_ABORTED', cause: reason } });
  expect(done).toBe('done');
});
