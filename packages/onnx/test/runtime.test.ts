import { isGvuError } from '@gvu/core';
import { describe, expect, test } from 'vitest';
import type { DType } from '../src/dtype.ts';
import { Runtime } from '../src/runtime/runtime.ts';
import { tensorData, toNumbers } from '../src/tensor-data.ts';
import { type TinyNode, tinyModel, tinyProgram, value } from './tiny-program.ts';

const negExp = tinyProgram('neg-exp', {
  inputs: [value('x', 'float32', [2])],
  outputs: [value('neg', 'float32', [2]), value('exp', 'float32', [2])],
  nodes: [
    ['Neg', ['x'], ['neg']],
    ['Exp', ['x'], ['exp']],
  ],
});
const x = tensorData('float32', [2], [0, 1]);

describe('running a program', () => {
  test('returns every output, or those fetched, in memory of their own', async () => {
    await using runtime = await Runtime.create();
    await using session = await runtime.load(negExp);
    const all = await session.run({ x });
    expect(new Set(Object.keys(all))).toEqual(new Set(['exp', 'neg']));
    const { exp } = await session.run({ x }, { fetch: ['exp'] });
    expect(exp.shape).toEqual([2]);
    expect(toNumbers(exp)).toEqual([1, Math.fround(Math.E)]);
    expect(Object.keys(await session.run({ x }, { fetch: ['neg'] }))).toEqual(['neg']);
  });

  test('carries every dtype in and out', async () => {
    await using runtime = await Runtime.create();
    const values: Record<DType, number[]> = {
      float32: [0.5, -3],
      float64: [0.1, -1e300],
      float16: [0.5, -3],
      bfloat16: [0.5, -3],
      int32: [-7, 2 ** 31 - 1],
      int64: [-7, 2 ** 53],
      uint8: [0, 255],
      bool: [0, 1],
    };
    for (const [name, numbers] of Object.entries(values)) {
      // The keys of `values` are dtypes.
      const dtype = name as DType;
      const program = tinyProgram(`identity-${dtype}`, {
        inputs: [value('x', dtype, [2])],
        outputs: [value('y', dtype, [2])],
        nodes: [['Identity', ['x'], ['y']]],
      });
      await using session = await runtime.load(program);
      await using variables = await runtime.variables({ v: { dtype, shape: [2] } });
      const given = tensorData(dtype, [2], numbers);
      const { y } = await session.run({ x: given }, { fetch: ['y'], variables, update: { y: 'v' } });
      expect(y).toEqual(given);
      expect((await variables.read(['v'])).v).toEqual(given);
    }
  });

  test('bfloat16 is its bits to the model, which makes numbers of them', async () => {
    await using runtime = await Runtime.create();
    const bfloat16 = 16;
    const nodes: TinyNode[] = [
      ['BitCast', ['x'], ['cast'], { to: bfloat16 }],
      ['Cast', ['cast'], ['y'], { to: 1 }],
    ];
    const inputs = [value('x', 'bfloat16', [3])];
    const outputs = [value('y', 'float32', [3])];
    await using session = await runtime.load(tinyProgram('bits', { inputs, outputs, nodes, opset: 26 }));
    const { y } = await session.run({ x: tensorData('bfloat16', [3], [1.5, -2, 256]) }, { fetch: ['y'] });
    expect(toNumbers(y)).toEqual([1.5, -2, 256]);
  });

  test('scalars, empty tensors and lengths that vary', async () => {
    await using runtime = await Runtime.create();
    const program = tinyProgram('scale', {
      inputs: [value('x', 'float32', [-1, 2]), value('by', 'float32', [])],
      outputs: [value('y', 'float32', [-1, 2])],
      nodes: [['Mul', ['x', 'by'], ['y']]],
    });
    await using session = await runtime.load(program);
    const by = tensorData('float32', [], [3]);
    for (const rows of [0, 1, 5]) {
      const { y } = await session.run(
        { x: tensorData('float32', [rows, 2], Array(rows * 2).fill(2)), by },
        { fetch: ['y'] },
      );
      expect(y.shape).toEqual([rows, 2]);
      expect(toNumbers(y)).toEqual(Array(rows * 2).fill(6));
    }
  });

  test('copies feeds at the call, so that the caller can reuse its arrays', async () => {
    await using runtime = await Runtime.create();
    await using session = await runtime.load(negExp);
    const data = Float32Array.of(9, 9, 1, 2);
    const view = data.subarray(2);
    const running = session.run({ x: { dtype: 'float32', shape: [2], data: view } }, { fetch: ['neg'] });
    data.fill(100);
    expect(toNumbers((await running).neg)).toEqual([-1, -2]);

    const shared = new Float32Array(new SharedArrayBuffer(8));
    const first = session.run({ x: { dtype: 'float32', shape: [2], data: shared } }, { fetch: ['neg'] });
    shared.fill(100);
    expect(toNumbers((await first).neg)).toEqual([-0, -0]);
  });

  test('never takes the memory of a Buffer from the pool of Node', async () => {
    await using runtime = await Runtime.create();
    const program = tinyProgram('bytes', {
      inputs: [value('x', 'uint8', [3])],
      outputs: [value('y', 'uint8', [3])],
      nodes: [['Identity', ['x'], ['y']]],
    });
    await using session = await runtime.load(program);
    const bytes = Buffer.from([1, 2, 3]);
    const running = session.run({ x: { dtype: 'uint8', shape: [3], data: bytes } }, { fetch: ['y'] });
    bytes.fill(9);
    expect(toNumbers((await running).y)).toEqual([1, 2, 3]);

    // Moving it would take memory from every other small Buffer: Node copies instead.
    const moved = await session.run(
      { x: { dtype: 'uint8', shape: [3], data: bytes } },
      { fetch: ['y'], transfer: true },
    );
    expect(toNumbers(moved.y)).toEqual([9, 9, 9]);
    expect([...bytes]).toEqual([9, 9, 9]);
  });

  test('moves the memory of feeds when asked, two feeds in one buffer included', async () => {
    await using runtime = await Runtime.create();
    const program = tinyProgram('add', {
      inputs: [value('a', 'float32', [2]), value('b', 'float32', [2])],
      outputs: [value('sum', 'float32', [2])],
      nodes: [['Add', ['a', 'b'], ['sum']]],
    });
    await using session = await runtime.load(program);
    const both = Float32Array.of(1, 2, 10, 20);
    const a = { dtype: 'float32', shape: [2], data: both.subarray(0, 2) } as const;
    const b = { dtype: 'float32', shape: [2], data: both.subarray(2) } as const;
    const { sum } = await session.run({ a, b }, { fetch: ['sum'], transfer: true });
    expect(toNumbers(sum)).toEqual([11, 22]);
    expect(both.length).toBe(0);
    await expect(session.run({ a, b })).rejects.toMatchObject({
      code: 'GVU_RUNTIME_FEEDS',
      details: { problems: [expect.stringMatching(/'a' has lost its memory/), expect.stringMatching(/'b' has lost/)] },
    });
  });

  test('refuses a run with every problem at once, and sends nothing', async () => {
    await using runtime = await Runtime.create();
    await using session = await runtime.load(negExp);
    const feeds = { X: x };
    const refused = session.run(feeds, { fetch: ['exq', 'neg', 'neg'], update: { neg: 'm' } });
    await expect(refused).rejects.toMatchObject({
      code: 'GVU_RUNTIME_FEEDS',
      details: {
        program: 'neg-exp',
        problems: [
          `There is no input 'X'. Did you mean "x"?`,
          `Input 'x' (float32[2]) is missing.`,
          `There is no output 'exq'. Did you mean "exp"?`,
          `Output 'neg' is fetched twice.`,
          `There is no variable 'm' to update.`,
        ],
      },
    });
    await runtime.idle();
  });
});

describe('callers without types', () => {
  test('get a code for arguments of the wrong kind, and nothing is sent', async () => {
    await using runtime = await Runtime.create();
    await using session = await runtime.load(negExp);
    const run = (...values: unknown[]): Promise<unknown> => Reflect.apply(session.run, session, values);
    for (const [values, ...problems] of [
      [[undefined], /feeds are undefined/],
      [[{ x }, null], /options are null/],
      [[{ x }, { fetch: 'y' }], /'fetch' is 'y'/],
      [
        [{ x }, { fetch: [1], variables: {}, update: 'm', signal: {} }],
        /'fetch'/,
        /'variables'/,
        /'update'/,
        /'signal'/,
      ],
      [[{ x: null }], /'x' is float32\[2\], got no/],
    ] as const)
      await expect(run(...values)).rejects.toMatchObject({
        code: 'GVU_RUNTIME_FEEDS',
        details: { problems: problems.map((problem) => expect.stringMatching(problem)) },
      });

    const load = (...values: unknown[]): Promise<unknown> => Reflect.apply(runtime.load, runtime, values);
    for (const program of [
      undefined,
      {},
      { ...negExp, model: 'x' },
      { ...negExp, inputs: [null] },
      { ...negExp, outputs: 1 },
    ])
      await expect(load(program)).rejects.toMatchObject({ code: 'GVU_RUNTIME_PROGRAM' });
    await expect(load(negExp, { use: 'foo' })).rejects.toMatchObject({ code: 'GVU_RUNTIME_OPTIONS' });
    const create = (...values: unknown[]): Promise<unknown> => Reflect.apply(Runtime.create, Runtime, values);
    await expect(create({ device: null })).rejects.toMatchObject({ code: 'GVU_RUNTIME_DEVICE' });
  });
});

describe('what ONNX Runtime refuses', () => {
  test('a model that is none', async () => {
    await using runtime = await Runtime.create();
    for (const model of [new Uint8Array(), new Uint8Array([1, 2, 3]), new Uint8Array(1000).fill(255)])
      await expect(runtime.load({ name: 'broken', model, inputs: [], outputs: [] })).rejects.toMatchObject({
        code: 'GVU_RUNTIME_LOAD',
        message: expect.stringContaining(`'broken' cannot be loaded`),
      });
    expect(runtime.memory().sessions).toEqual([]);
  });

  test.each<{ title: string; nodes: TinyNode[]; node: { op: string | undefined; name: string } }>([
    {
      title: 'an unknown operator',
      nodes: [['Nope', ['x'], ['y'], {}, 'layers.3/nope']],
      node: { op: 'Nope', name: 'layers.3/nope' },
    },
    {
      title: 'shapes that do not fit',
      nodes: [['MatMul', ['x', 'x'], ['y'], {}, 'layers.3/q_proj']],
      node: { op: 'MatMul', name: 'layers.3/q_proj' },
    },
    {
      title: 'a type that does not fit',
      nodes: [['Equal', ['x', 'x'], ['y'], {}, 'layers.3/equal']],
      node: { op: undefined, name: 'layers.3/equal' },
    },
  ])('$title, by the name of its node', async ({ nodes, node }) => {
    await using runtime = await Runtime.create();
    const inputs = [value('x', 'float32', [2, 3])];
    const outputs = [value('y', 'float32', [2, 3])];
    const error = await runtime
      .load(tinyProgram('wrong', { inputs, outputs, nodes }))
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'GVU_RUNTIME_LOAD', details: { nodes: [node] } });
    expect(String(error)).toContain(`'wrong' cannot be loaded at ${node.op ?? 'node'} '${node.name}': `);
  });

  test('a failure while running names the node, and the session lives on', async () => {
    await using runtime = await Runtime.create();
    const program = tinyProgram('add', {
      inputs: [value('a', 'float32', [-1]), value('b', 'float32', [-1])],
      outputs: [value('sum', 'float32', [-1])],
      nodes: [['Add', ['a', 'b'], ['sum'], {}, 'layers.3.mlp/add']],
    });
    await using session = await runtime.load(program);
    const a = tensorData('float32', [2], [1, 2]);
    await expect(session.run({ a, b: tensorData('float32', [3], [1, 2, 3]) })).rejects.toMatchObject({
      code: 'GVU_RUNTIME_RUN',
      message: expect.stringContaining(`'add' failed at Add 'layers.3.mlp/add': `),
      details: { nodes: [{ op: 'Add', name: 'layers.3.mlp/add' }], ortMessage: expect.stringContaining('broadcast') },
    });
    expect(toNumbers((await session.run({ a, b: a }, { fetch: ['sum'] })).sum)).toEqual([2, 4]);
  });

  test('an output of another shape than declared, which ONNX Runtime lets pass', async () => {
    await using runtime = await Runtime.create();
    const inputs = [value('x', 'float32', [-1])];
    const nodes: TinyNode[] = [['Neg', ['x'], ['y']]];
    const model = tinyModel({ inputs, outputs: [value('y', 'float32', [-1])], nodes });
    const program = { name: 'stricter', model, inputs, outputs: [value('y', 'float32', [2])] };
    await using session = await runtime.load(program);
    expect(await session.run({ x })).toBeDefined();
    await expect(session.run({ x: tensorData('float32', [3], [1, 2, 3]) })).rejects.toMatchObject({
      code: 'GVU_RUNTIME_RUN',
      message: expect.stringContaining("'y' is float32[3], but declared as float32[2]"),
    });
  });
});

describe('a program that does not describe its model', () => {
  test.each([
    ['an input the model lacks', { inputs: [value('x', 'float32', [2]), value('z', 'float32', [2])] }, /no input 'z'/],
    ['a missing input', { inputs: [] }, /needs the input 'x'/],
    ['a wrong dtype', { inputs: [value('x', 'float16', [2])] }, /'x' as float16\[2\], the model as float32\[2\]/],
    ['a wrong shape', { inputs: [value('x', 'float32', [3])] }, /'x' as float32\[3\], the model as float32\[2\]/],
    ['an output the model lacks', { outputs: [value('nope', 'float32', [2])] }, /no output 'nope'/],
    ['an input twice', { inputs: [value('x', 'float32', [2]), value('x', 'float32', [2])] }, /'x' twice/],
  ])('%s', async (_, change, problem) => {
    await using runtime = await Runtime.create();
    const refused = runtime.load({ ...negExp, ...change });
    await expect(refused).rejects.toMatchObject({
      code: 'GVU_RUNTIME_PROGRAM',
      details: { problems: [expect.stringMatching(problem)] },
    });
    expect(runtime.memory().sessions).toEqual([]);
  });

  test('an input that the model has as an initializer, whose feed ONNX Runtime would ignore', async () => {
    await using runtime = await Runtime.create();
    const inputs = [value('x', 'float32', [2]), value('w', 'float32', [2])];
    const program = tinyProgram('overridable', {
      inputs,
      outputs: [value('y', 'float32', [2])],
      nodes: [['Add', ['x', 'w'], ['y']]],
      initializers: [{ name: 'w', dtype: 'float32', shape: [2], data: Float32Array.of(5, 6) }],
    });
    await expect(runtime.load(program)).rejects.toMatchObject({
      details: { problems: [expect.stringMatching(/initializer/)] },
    });
  });
});

describe('devices', () => {
  test.each([
    ['cuda', /does not start: .*npm run setup:cuda/s],
    ['webgpu', /does not start: .*Vulkan/s],
    ['gpu', /no device 'gpu'.*cpu, cuda, webgpu/s],
  ])('%s is refused here, with what to do', async (device, message) => {
    // The last one is what a configuration file might hold.
    const error = await Runtime.create({ device: device as 'cuda' }).catch((thrown: unknown) => thrown);
    if (error instanceof Runtime) {
      // A machine that has the device.
      await error.dispose();
      return;
    }
    expect(isGvuError(error, 'GVU_RUNTIME_DEVICE')).toBe(true);
    expect(String(error)).toMatch(message);
  });

  test('options out of range are refused, all at once', async () => {
    await expect(Runtime.create({ threads: -1, cacheLimit: 0.5 })).rejects.toMatchObject({
      code: 'GVU_RUNTIME_OPTIONS',
      details: { problems: [expect.stringContaining('threads'), expect.stringContaining('cacheLimit')] },
    });
  });

  test('info tells the version, the device and the backends', async () => {
    await using runtime = await Runtime.create({ threads: 2 });
    expect(runtime.info()).toMatchObject({ version: '1.30.0', device: 'cpu', threads: 2 });
    expect(runtime.info().backends).toContainEqual({ name: 'cpu', bundled: true });
  });
});
