import { expect, test } from 'vitest';
import { Runtime } from '../src/runtime/runtime.ts';
import { tensorData, toNumbers } from '../src/tensor-data.ts';
import { addProgram } from './tiny-program.ts';

test('builds once for a key, also when asked for twice at the same time', async () => {
  await using runtime = await Runtime.create();
  let built = 0;
  const build = () => {
    built++;
    return addProgram(1, 2);
  };
  const [first, second] = await Promise.all([runtime.cached('add [2]', build), runtime.cached('add [2]', build)]);
  expect(first).toBe(second);
  expect(await runtime.cached('add [2]', build)).toBe(first);
  expect(built).toBe(1);
  await runtime.cached('add [2]', build, { use: 'training' });
  expect(built).toBe(2);
});

test('keeps the models used last, and loads a model again for whoever still holds it', async () => {
  await using runtime = await Runtime.create({ cacheLimit: 2 });
  const names = () => runtime.memory().sessions.map(({ program }) => program);
  const open = (amount: number) => runtime.cached(`add ${amount}`, () => addProgram(amount, 1));
  const x = tensorData('float32', [1], [10]);
  const one = await open(1);
  await open(2);
  await one.run({ x });
  await open(3);
  expect(names()).toEqual(['add-1', 'add-3']);
  await open(4);
  expect(names()).toEqual(['add-3', 'add-4']);
  const { y } = await one.run({ x }, { fetch: ['y'] });
  expect(toNumbers(y)).toEqual([11]);
  expect(names()).toEqual(['add-4', 'add-1']);
});

test('runs that wait for a model still get it when it is unloaded', async () => {
  await using runtime = await Runtime.create({ cacheLimit: 1 });
  const x = tensorData('float32', [1], [10]);
  const sessions = await Promise.all(
    [1, 2, 3].map((amount) => runtime.cached(`${amount}`, () => addProgram(amount, 1))),
  );
  const runs = Array.from({ length: 12 }, (_, i) => sessions[i % 3]?.run({ x }, { fetch: ['y'] }));
  const results = await Promise.all(runs);
  expect(results.map((result) => result && toNumbers(result.y)[0])).toEqual([
    11, 12, 13, 11, 12, 13, 11, 12, 13, 11, 12, 13,
  ]);
  expect(runtime.memory().sessions).toHaveLength(1);
});

test('does not keep failures', async () => {
  await using runtime = await Runtime.create();
  const broken = { ...addProgram(1, 1), model: new Uint8Array([1]) };
  await expect(runtime.cached('k', () => broken)).rejects.toMatchObject({ code: 'GVU_RUNTIME_LOAD' });
  const throwing = () => {
    throw new Error('no graph');
  };
  await expect(runtime.cached('k', throwing)).rejects.toThrow('no graph');
  expect(await runtime.cached('k', () => addProgram(1, 1))).toBeDefined();
});
