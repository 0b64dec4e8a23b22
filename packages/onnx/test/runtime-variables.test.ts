import { describe, expect, test } from 'vitest';
import { Runtime } from '../src/runtime/runtime.ts';
import { type TensorData, tensorData, toNumbers } from '../src/tensor-data.ts';
import { slowProgram, stepProgram, tinyProgram, value } from './tiny-program.ts';

const rate = tensorData('float32', [1], [0.5]);

describe('variables in runs', () => {
  test('feed inputs of their name and take outputs, step after step', async () => {
    await using runtime = await Runtime.create();
    await using session = await runtime.load(stepProgram(2), { use: 'training' });
    await using variables = await runtime.variables({ w: tensorData('float32', [2], [8, 4]) });
    const losses = [];
    for (let step = 0; step < 4; step++) {
      const { loss } = await session.run({ rate }, { fetch: ['loss'], variables, update: { next: 'w' } });
      losses.push(...toNumbers(loss));
    }
    expect(losses).toEqual([40, 10, 2.5, 0.625]);
    expect(toNumbers((await variables.read(['w'])).w)).toEqual([0.5, 0.25]);
  });

  test('queued steps follow each other without being awaited', async () => {
    await using runtime = await Runtime.create();
    await using session = await runtime.load(stepProgram(1));
    await using variables = await runtime.variables({ w: tensorData('float32', [1], [64]) });
    const steps = [1, 2, 3, 4, 5].map(() => session.run({ rate }, { variables, update: { next: 'w' } }));
    const read = variables.read(['w']);
    const write = variables.write({ w: tensorData('float32', [1], [100]) });
    const last = session.run({ rate }, { variables, update: { next: 'w' } });
    const after = variables.read();
    expect((await Promise.all(steps)).map(({ loss }) => loss && toNumbers(loss)[0])).toEqual([4096, 1024, 256, 64, 16]);
    expect(toNumbers((await read).w)).toEqual([2]);
    await write;
    expect(await last).toEqual({ loss: tensorData('float32', [], [10000]) });
    expect((await after).w).toEqual(tensorData('float32', [1], [50]));
  });

  test('an output that is fetched and updates a variable is two copies', async () => {
    await using runtime = await Runtime.create();
    await using session = await runtime.load(stepProgram(1));
    await using variables = await runtime.variables({ w: tensorData('float32', [1], [64]) });
    for (const expected of [32, 16, 8]) {
      const { next } = await session.run({ rate }, { fetch: ['next'], variables, update: { next: 'w' } });
      expect(toNumbers(next)).toEqual([expected]);
      new Uint8Array(next.data.buffer).fill(255);
      const { w } = await variables.read(['w']);
      expect(toNumbers(w)).toEqual([expected]);
      new Uint8Array(w.data.buffer).fill(255);
      expect(toNumbers((await variables.read(['w'])).w)).toEqual([expected]);
    }
  });

  test('two variables can change places', async () => {
    await using runtime = await Runtime.create();
    const program = tinyProgram('swap', {
      inputs: [value('a', 'int32', [1]), value('b', 'int32', [1])],
      outputs: [value('same a', 'int32', [1]), value('same b', 'int32', [1])],
      nodes: [
        ['Identity', ['a'], ['same a']],
        ['Identity', ['b'], ['same b']],
      ],
    });
    await using session = await runtime.load(program);
    await using variables = await runtime.variables({
      a: tensorData('int32', [1], [1]),
      b: tensorData('int32', [1], [2]),
    });
    await session.run({}, { variables, update: { 'same a': 'b', 'same b': 'a' } });
    expect(await variables.read()).toEqual({ a: tensorData('int32', [1], [2]), b: tensorData('int32', [1], [1]) });
  });

  test('a failed run leaves every variable as it was', async () => {
    await using runtime = await Runtime.create();
    // `first` is computed and stored before `second` fails.
    const program = tinyProgram('half', {
      inputs: [value('a', 'float32', [2]), value('b', 'float32', [-1])],
      outputs: [value('first', 'float32', [2]), value('second', 'float32', [2])],
      nodes: [
        ['Neg', ['a'], ['first']],
        ['Add', ['first', 'b'], ['second']],
      ],
    });
    await using session = await runtime.load(program);
    const before = { a: tensorData('float32', [2], [1, 2]), c: tensorData('float32', [2], [3, 4]) };
    await using variables = await runtime.variables(before);
    const update = { first: 'a', second: 'c' };
    const failing = session.run({ b: tensorData('float32', [3], [1, 1, 1]) }, { variables, update });
    await expect(failing).rejects.toMatchObject({ code: 'GVU_RUNTIME_RUN' });
    expect(await variables.read()).toEqual(before);
    await session.run({ b: tensorData('float32', [2], [1, 1]) }, { variables, update });
    expect(toNumbers((await variables.read(['c'])).c)).toEqual([0, -1]);
  });

  test('come from several sets, as weights and adapters do', async () => {
    await using runtime = await Runtime.create();
    await using session = await runtime.load(stepProgram(1));
    await using weights = await runtime.variables({ w: tensorData('float32', [1], [8]) });
    await using rates = await runtime.variables({ rate: tensorData('float32', [1], [0.25]) });
    await session.run({}, { variables: [weights, rates], update: { next: 'w' } });
    expect(toNumbers((await weights.read(['w'])).w)).toEqual([6]);
    await using twin = await runtime.variables({ w: { dtype: 'float32', shape: [1] } });
    await expect(session.run({}, { variables: [weights, rates, twin] })).rejects.toMatchObject({
      details: { problems: [`The variable 'w' is in two of the sets.`] },
    });
  });

  test('that do not fit the program are refused, all at once', async () => {
    await using runtime = await Runtime.create();
    await using session = await runtime.load(stepProgram(2));
    await using variables = await runtime.variables({
      w: { dtype: 'float32', shape: [3] },
      rate: { dtype: 'float32', shape: [1] },
      half: { dtype: 'float16', shape: [2] },
    });
    const refused = session.run({ rate }, { variables, update: { nexd: 'w', loss: 'half', next: 'half' } });
    await expect(refused).rejects.toMatchObject({
      code: 'GVU_RUNTIME_FEEDS',
      details: {
        problems: [
          `Input 'w' is float32[2], the variable float32[3].`,
          `Input 'rate' is fed twice, by a tensor and by a variable.`,
          `There is no output 'nexd'. Did you mean "next"?`,
          `Output 'loss' is float32[], the variable 'half' float16[2].`,
          `Variable 'half' is updated twice.`,
          `Output 'next' is float32[2], the variable 'half' float16[2].`,
        ],
      },
    });
  });
});

describe('reading and writing variables', () => {
  test('zeros need no data, and an update costs a second buffer', async () => {
    await using runtime = await Runtime.create();
    await using session = await runtime.load(stepProgram(4));
    await using variables = await runtime.variables({
      w: { dtype: 'float32', shape: [4] },
      v: { dtype: 'float64', shape: [] },
    });
    expect(toNumbers((await variables.read(['w'])).w)).toEqual([0, 0, 0, 0]);
    expect(runtime.memory().variableBytes).toBe(16 + 8);
    await session.run({ rate }, { variables, update: { next: 'w' } });
    expect(runtime.memory().variableBytes).toBe(32 + 8);
    await variables.dispose();
    expect(runtime.memory().variableBytes).toBe(0);
  });

  test('the second buffer is counted under the whole name of its variable', async () => {
    await using runtime = await Runtime.create();
    const program = tinyProgram('double', {
      inputs: [value('weight', 'float32', [4])],
      outputs: [value('next', 'float32', [4])],
      nodes: [['Add', ['weight', 'weight'], ['next']]],
    });
    await using session = await runtime.load(program);
    await using variables = await runtime.variables({
      weight: { dtype: 'float32', shape: [4] },
      w: { dtype: 'float32', shape: [1] },
    });
    await session.run({}, { variables, update: { next: 'weight' } });
    expect(variables.bytes).toBe(2 * 16 + 4);
  });

  test('a write of some keeps the others, and moves memory when asked', async () => {
    await using runtime = await Runtime.create();
    const a = tensorData('float32', [2], [1, 2]);
    await using variables = await runtime.variables({ a, b: a });
    await variables.write({ b: a }, { transfer: true });
    expect(a.data.length).toBe(0);
    expect(await variables.read()).toEqual({
      a: tensorData('float32', [2], [1, 2]),
      b: tensorData('float32', [2], [1, 2]),
    });
  });

  test('names and values that do not fit are refused, and nothing is written', async () => {
    await using runtime = await Runtime.create();
    await using variables = await runtime.variables({ weight: tensorData('float32', [1], [1]) });
    await expect(variables.read(['wait'])).rejects.toMatchObject({
      code: 'GVU_RUNTIME_VARIABLES',
      details: { problems: [`There is no variable 'wait'.`] },
    });
    const wrong = { weight: tensorData('float32', [2], [3, 3]), weigth: tensorData('float32', [1], [3]) };
    await expect(variables.write(wrong)).rejects.toMatchObject({
      code: 'GVU_RUNTIME_VARIABLES',
      details: {
        problems: [`'weight' is float32[1], got float32[2].`, `There is no variable 'weigth'. Did you mean "weight"?`],
      },
    });
    expect(toNumbers((await variables.read(['weight'])).weight)).toEqual([1]);
    const init = {
      a: { dtype: 'float8' as 'float16', shape: [1] },
      b: { dtype: 'int32', shape: [-1] },
      // What callers without types may pass.
      c: null as unknown as TensorData,
    } as const;
    await expect(runtime.variables(init)).rejects.toMatchObject({
      details: {
        problems: [
          `'a' has the unknown dtype 'float8'.`,
          `'b' is int32[?], which is not the shape of a tensor.`,
          `'c' has no { dtype, shape }.`,
        ],
      },
    });
    await expect(runtime.variables({ huge: { dtype: 'float32', shape: [2 ** 30, 2 ** 30] } })).rejects.toMatchObject({
      code: 'GVU_RUNTIME_VARIABLES',
      message: expect.stringContaining("There is no memory for 'huge', which is float32[1073741824, 1073741824]"),
    });
  });

  test('belong to one runtime, and are gone after disposal', async () => {
    await using runtime = await Runtime.create();
    await using other = await Runtime.create();
    await using session = await runtime.load(stepProgram(1));
    await using foreign = await other.variables({ w: { dtype: 'float32', shape: [1] } });
    await expect(session.run({ rate }, { variables: foreign })).rejects.toMatchObject({
      code: 'GVU_RUNTIME_VARIABLES',
    });
    const variables = await runtime.variables({ w: { dtype: 'float32', shape: [1] } });
    const queued = session.run({ rate }, { variables, update: { next: 'w' } });
    await Promise.all([variables.dispose(), variables.dispose(), queued]);
    await expect(session.run({ rate }, { variables })).rejects.toMatchObject({ code: 'GVU_RUNTIME_CLOSED' });
    await expect(variables.read()).rejects.toMatchObject({ code: 'GVU_RUNTIME_CLOSED' });
    await expect(variables.write({})).rejects.toMatchObject({ code: 'GVU_RUNTIME_CLOSED' });
  });
});

describe('aborting', () => {
  test('before the call, nothing is sent and nothing moved', async () => {
    await using runtime = await Runtime.create();
    await using session = await runtime.load(stepProgram(1));
    const w = tensorData('float32', [1], [1]);
    const reason = new Error('not needed');
    const aborted = session.run({ w, rate }, { signal: AbortSignal.abort(reason), transfer: true });
    await expect(aborted).rejects.toMatchObject({ code: 'GVU_RUNTIME_ABORTED', cause: reason });
    expect(w.data.length).toBe(1);
  });

  test('rejects running and queued runs at once, and no variable changes', async () => {
    await using runtime = await Runtime.create();
    await using slow = await runtime.load(slowProgram({ size: 512, count: 80 }));
    await using step = await runtime.load(stepProgram(1));
    const size = 512;
    await using variables = await runtime.variables({
      x: { dtype: 'float32', shape: [size, size] },
      w: tensorData('float32', [1], [64]),
    });
    await variables.write({
      x: { dtype: 'float32', shape: [size, size], data: new Float32Array(size * size).fill(2 / size) },
    });
    const controller = new AbortController();
    const { signal } = controller;
    const outcomes: string[] = [];
    const note = (name: string) =>
      [() => outcomes.push(`${name} ran`), () => outcomes.push(`${name} aborted`)] as const;
    const running = slow.run({}, { variables, update: { y: 'x' }, signal }).then(...note('running'));
    const queued = step.run({ rate }, { variables, update: { next: 'w' }, signal }).then(...note('queued'));
    const kept = step.run({ rate }, { variables, update: { next: 'w' } }).then(...note('kept'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    controller.abort();
    await Promise.all([running, queued]);
    expect(outcomes).toEqual(['running aborted', 'queued aborted']);
    await kept;
    const { x, w } = await variables.read(['x', 'w']);
    expect(x.data).toEqual(new Float32Array(size * size).fill(2 / size));
    expect(toNumbers(w)).toEqual([32]);
  });

  test('a signal that fires at any moment either counts wholly or not at all', async () => {
    await using runtime = await Runtime.create();
    await using session = await runtime.load(stepProgram(1));
    await using variables = await runtime.variables({ w: tensorData('float32', [1], [1]) });
    let succeeded = 0;
    let aborted = 0;
    const one = tensorData('float32', [1], [-1]); // w grows by w: it doubles with each run that counts
    for (let i = 0; i < 100; i++) {
      const controller = new AbortController();
      const run = session.run({ rate: one }, { variables, update: { next: 'w' }, signal: controller.signal });
      for (let turn = 0; turn < i % 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      controller.abort();
      await run.then(
        () => succeeded++,
        () => aborted++,
      );
    }
    expect(succeeded + aborted).toBe(100);
    expect(aborted).toBeGreaterThan(0);
    const { w } = await variables.read(['w']);
    expect(Math.log2(toNumbers(w)[0] ?? 0)).toBe(succeeded);
  });
});
