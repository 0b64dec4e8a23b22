import { expect, test } from 'vitest';
import { Steering } from './steering.ts';

/** A trainer of this many steps that does nothing but ask. */
async function trainer(steering: Steering, signal: AbortSignal, steps: number) {
  const seen = { step: 0, checkpoints: [] as number[] };
  const done = (async () => {
    for (; seen.step < steps && !signal.aborted; seen.step++) {
      const { step } = seen;
      await steering.beforeStep({ step, checkpoint: async () => void seen.checkpoints.push(step) });
      if (signal.aborted) break;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  return { seen, done };
}

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
};
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 20));

test('a run that nobody steers waits for nothing', () => {
  using steering = new Steering('a');
  expect(steering.beforeStep({ step: 0, checkpoint: async () => {} })).toBeUndefined();
});

test('a paused run stands still, writes checkpoints, and goes on', async () => {
  using steering = new Steering('a');
  const { seen, done } = await trainer(steering, steering.signal(new AbortController().signal), 20);
  await until(() => seen.step === 3);
  await steering.pause('a');
  await aWhile();
  const at = seen.step;
  expect(await Promise.all([steering.checkpoint('a'), steering.checkpoint('a')])).toEqual([at, at]);
  expect(seen.checkpoints[0]).toBe(at);
  await aWhile();
  expect(seen.step).toBe(at);
  await steering.resume('a');
  expect(await steering.checkpoint('a')).toBeGreaterThanOrEqual(at);
  await done;
  expect(seen.step).toBe(20);
});

test('stop and Ctrl-C end a paused run', async () => {
  for (const end of [
    (steering: Steering) => steering.stop('a'),
    (_: Steering, ctrlC: AbortController) => ctrlC.abort(),
  ]) {
    using steering = new Steering('a');
    const ctrlC = new AbortController();
    const { seen, done } = await trainer(steering, steering.signal(ctrlC.signal), 1000);
    await steering.pause('a');
    await aWhile();
    await end(steering, ctrlC);
    await done;
    expect(seen.step).toBeLessThan(1000);
  }
});

test('other runs and a run that is over are refused with a code', async () => {
  const steering = new Steering('a');
  const refused = { code: 'GVU_CLI_CONTROL' };
  await expect(steering.pause('b')).rejects.toMatchObject(refused);
  expect(steering.steered()).toEqual(new Map([['a', 'running']]));
  await steering.pause('a');
  expect(steering.steered()).toEqual(new Map([['a', 'paused']]));
  const asked = steering.checkpoint('a');
  steering[Symbol.dispose]();
  await expect(asked).rejects.toMatchObject(refused);
  await expect(steering.stop('a')).rejects.toMatchObject(refused);
  expect(steering.steered().size).toBe(0);
});

test('a checkpoint that cannot be written is an error for who asked and for the trainer', async () => {
  using steering = new Steering('a');
  const asked = steering.checkpoint('a');
  const full = new Error('The disk is full.');
  const held = steering.beforeStep({ step: 1, checkpoint: () => Promise.reject(full) });
  await expect(asked).rejects.toBe(full);
  await expect(held).rejects.toBe(full);
});
