/** Importing whole models: our own come back as they were, foreign ones are checked before anything is built from them. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isGvuError } from '@gvu/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compile, encode } from '../src/codec/encode.ts';
import { importModel } from '../src/codec/import-model.ts';
import { constant, createGraph, type Graph, input, output, scope, type Target, weight } from '../src/graph/graph.ts';
import { printGraph } from '../src/graph/print.ts';
import { add, cast, greater, mul } from '../src/ops/arithmetic.ts';
import { branch, loop } from '../src/ops/control.ts';
import { linear, softmax, sum } from '../src/ops/linear.ts';
import { concat, slice } from '../src/ops/movement.ts';
import { type TensorData, tensorData, toNumbers } from '../src/tensor-data.ts';
import { type ForeignGraph, foreignModel, node } from './foreign-model.ts';
import { buildCase, casesFor, type OperatorCase, operatorCases } from './operator-cases.ts';
import { runGraph } from './run-graph.ts';
import { importAndRun, runModel } from './run-model.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** The same inputs in a new graph, the model on them, and its outputs. */
function importAgain(graph: Graph, model: Uint8Array, folder?: string): Graph {
  const again = createGraph({ name: graph.name, target: graph.target });
  const inputs = Object.fromEntries(graph.main.inputs.map(({ name, ...type }) => [name, input(again, name, type)]));
  const outputs = importModel(again, model, folder === undefined ? { inputs } : { inputs, folder });
  for (const { name } of graph.main.outputs) if (outputs[name]) output(name, outputs[name]);
  return again;
}

async function run(graph: Graph, feeds: Record<string, TensorData>): Promise<Record<string, number[]>> {
  const results = await runGraph(graph, feeds);
  return Object.fromEntries(Object.entries(results).map(([name, data]) => [name, toNumbers(data)]));
}

const vector = { dtype: 'float32', shape: [2] } as const;
const values = (...list: readonly number[]) => tensorData('float32', [list.length], list);

describe('a graph of ours', () => {
  test.each([0, 1, 2, 3, 4, 5, 6, 7])(
    'comes back from a Buffer that begins at byte %i of its memory',
    async (offset) => {
      const graph = createGraph();
      output('y', slice(input(graph, 'x', vector), 0, { start: 1 })); // its bounds are int64, which must lie at multiples of 8
      const { model } = compile(graph);
      const memory = Buffer.from(new ArrayBuffer(offset + model.length)).subarray(offset);
      memory.set(model);
      expect(await run(importAgain(graph, memory), { x: values(3, 4) })).toEqual({ y: [4] });
    },
  );

  describe.each<Target>(['cpu', 'cuda'])('comes back with the same numbers, for %s:', (target) => {
    test.each(casesFor(target))('%s', async (op) => {
      await fc.assert(
        fc.asyncProperty(operatorCases[op] as fc.Arbitrary<OperatorCase>, async (use) => {
          const graph = createGraph({ target });
          const { feeds } = buildCase(graph, op, use, { prefix: 'x' });
          // The first import counts axes from the front and drops what does nothing, the second has nothing left to change.
          const first = importAgain(graph, encode(graph).model);
          const second = importAgain(first, encode(first).model);
          expect(printGraph(second)).toBe(printGraph(first));
          expect(await runGraph(first, feeds)).toEqual(await runGraph(graph, feeds));
        }),
        { seed: 99, numRuns: 6 },
      );
    });
  });

  test('comes back with bodies, growing lengths, weights and all dtypes', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'weights.bin');
    await writeFile(file, new Uint8Array(Float32Array.from({ length: 9 }, (_, i) => i / 4).buffer));

    const graph = createGraph({ name: 'model' });
    const x = input(graph, 'x', { dtype: 'float32', shape: [2, 4] });
    const flag = input(graph, 'flag', { dtype: 'bool', shape: [] });
    const inMemory = weight(graph, 'proj.weight', {
      dtype: 'float32',
      shape: [4, 4],
      data: Float32Array.from({ length: 16 }, (_, i) => (i % 5) / 8),
    });
    const inFile = weight(graph, 'proj.bias', { dtype: 'float32', shape: [4], file, offset: 4, length: 16 });
    const hidden = scope(graph, 'proj', () => linear(x, inMemory, inFile));
    const table = constant(
      graph,
      'float32',
      [3, 4],
      Array.from({ length: 12 }, (_, i) => i),
    );
    const { carried, kept } = scope(graph, 'steps', () =>
      loop(graph, { trips: 3, carried: [{ initial: hidden, grows: 0 }] }, (step, [rows = hidden]) => {
        const row = add(slice(table, 0, { start: 1, end: 2 }), cast(step, 'float32'));
        return { carried: [concat([rows, row], 0)], kept: [sum(row)] };
      }),
    );
    const [either = x] = branch(
      flag,
      () => carried,
      () => [mul(softmax(hidden), 0.1)],
    );
    output('either', either);
    output('sums', kept[0] ?? x);
    output('half', cast(mul(cast(x, 'float16'), 1.5), 'float32'));
    output('mask', greater(x, constant(graph, 'float32', [4], [0, 1, 2, 3])));
    output('double', mul(cast(x, 'float64'), 1e-300));
    output('x again', x);

    const program = encode(graph);
    const again = importAgain(graph, program.model, program.externalFolder);
    expect(printGraph(again)).toBe(printGraph(graph));
    const feeds = {
      x: tensorData('float32', [2, 4], [1, 2, 3, 4, -1, 0.5, 2.5, 0]),
      flag: tensorData('bool', [], [true]),
    };
    expect(await run(again, feeds)).toEqual(await run(graph, feeds));
    // Compiled programs are written in another order.
    const compiled = importAgain(graph, compile(graph).model, program.externalFolder);
    expect(await run(compiled, feeds)).toEqual(await run(graph, feeds));
  });

  test('can be imported several times, each below a scope', async () => {
    const graph = createGraph();
    output('y', mul(input(graph, 'x', vector), weight(graph, 'w', values(2, 3))));
    const { model } = encode(graph);

    const host = createGraph({ name: 'host' });
    const x = input(host, 'x', vector);
    const first = scope(host, 'first', () => importModel(host, model, { inputs: { x } }));
    const second = scope(host, 'second', () => importModel(host, model, { inputs: { x: first.y ?? x } }));
    output('y', second.y ?? x);
    expect([...host.weights.keys()]).toEqual(['first/w', 'second/w']);
    expect(await run(host, { x: values(1, 1) })).toEqual({ y: [4, 9] });
    expect(() => {
      importModel(host, model, { inputs: { x } });
      importModel(host, model, { inputs: { x } });
    }).toThrow("GVU_GRAPH_NAME: 'w' is declared twice.");
  });
});

describe('control flow of foreign make', () => {
  const halves = (name: string, op: string): ForeignGraph => ({
    name,
    inputs: {},
    outputs: { [`${name}_out`]: { dtype: 'float32' } },
    nodes: [node(op, ['x'], [`${name}_mid`]), node('Mul', [`${name}_mid`, 'half'], [`${name}_out`])],
    initializers: { half: tensorData('float32', [], [0.5]) },
  });
  const either: ForeignGraph = {
    inputs: { x: { dtype: 'float32', shape: ['n'] }, flag: { dtype: 'bool', shape: [1] } },
    outputs: { y: { dtype: 'float32' } },
    nodes: [
      node('If', ['flag'], ['y'], {
        then_branch: { graph: halves('then', 'Exp') },
        else_branch: { graph: halves('else', 'Neg') },
      }),
    ],
  };

  test('becomes both branches when the condition is fed', async () => {
    const model = foreignModel(either);
    for (const flag of [0, 1]) {
      const feeds = { x: values(1, 2), flag: tensorData('bool', [1], [flag]) };
      const { graph, results } = await importAndRun(model, feeds);
      expect(printGraph(graph)).toContain('then_branch:');
      expect(results).toEqual(await runModel(model, feeds));
    }
  });

  test('becomes one branch when the condition is known', async () => {
    const feeds = { x: values(1, 2), flag: tensorData('bool', [1], [0]) };
    const { graph, results } = await importAndRun(foreignModel(either), feeds, { known: ['flag'] });
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "graph imported (cpu, operator set 23)
        input x: float32[2]
        else_mid: float32[2] = Neg(x)
        else_out: float32[2] = Mul(else_mid, 0.5)
        output y: else_out"
    `);
    expect(toNumbers(results.y ?? values())).toEqual([-0.5, -1]);
  });

  const body = (more: Partial<ForeignGraph> = {}): ForeignGraph => ({
    name: 'body',
    inputs: {
      i: { dtype: 'int64', shape: [] },
      going: { dtype: 'bool' },
      sum: { dtype: 'float32', shape: ['n'] },
    },
    outputs: {
      again: { dtype: 'bool' },
      next: { dtype: 'float32', shape: ['n'] },
      kept: { dtype: 'float32' },
    },
    nodes: [
      node('Identity', ['going'], ['again']),
      node('Add', ['sum', 'x'], ['next']),
      node('Identity', ['next'], ['kept']),
    ],
    ...more,
  });
  const looped = (loopBody: ForeignGraph, operands: readonly string[]): ForeignGraph => ({
    inputs: { x: { dtype: 'float32', shape: ['n'] } },
    outputs: { y: { dtype: 'float32' }, all: { dtype: 'float32' } },
    nodes: [node('Loop', operands, ['y', 'all'], { body: { graph: loopBody } })],
    initializers: { trips: tensorData('int64', [1], [3]), yes: tensorData('bool', [1], [1]) },
  });

  const scalarCondition = { ...body().inputs, going: { dtype: 'bool', shape: [] } } as const;
  test.each([
    ['trips and condition of one element', body(), ['trips', 'yes', 'x']],
    ['without a condition', body({ inputs: scalarCondition }), ['trips', '', 'x']],
  ])('loops: %s', async (_, loopBody, operands) => {
    const model = foreignModel(looped(loopBody, operands));
    const feeds = { x: values(1, 2) };
    const { results } = await importAndRun(model, feeds);
    expect(results).toEqual(await runModel(model, feeds));
  });

  test('loops until a condition says so', async () => {
    const until = body({
      nodes: [
        node('Add', ['sum', 'x'], ['next']),
        node('ReduceSum', ['next'], ['total'], { keepdims: 0 }),
        node('Less', ['total', 'limit'], ['again']),
        node('Identity', ['next'], ['kept']),
      ],
      initializers: { limit: tensorData('float32', [], [10]) },
    });
    const model = foreignModel(looped(until, ['', 'yes', 'x']), { opset: 13 });
    const feeds = { x: values(1, 2) };
    const { results } = await importAndRun(model, feeds);
    expect(results).toEqual(await runModel(model, feeds));
    expect(results.all?.shape).toEqual([3, 2]);
  });

  test('loops whose value grows', async () => {
    const growing = body({
      outputs: { again: { dtype: 'bool' }, next: { dtype: 'float32', shape: ['m'] }, kept: { dtype: 'float32' } },
      nodes: [
        node('Identity', ['going'], ['again']),
        node('Concat', ['sum', 'x'], ['next'], { axis: 0 }),
        node('Identity', ['x'], ['kept']),
      ],
    });
    const model = foreignModel(looped(growing, ['trips', 'yes', 'x']));
    const feeds = { x: values(1, 2) };
    const { results } = await importAndRun(model, feeds);
    expect(results).toEqual(await runModel(model, feeds));
    expect(results.y?.shape).toEqual([8]);
  });
});

/** y = x + w, with w kept in a file. */
const outside = (region: { location: string; offset?: number | string; length?: number | string }): Uint8Array =>
  foreignModel({
    inputs: { x: { dtype: 'float32', shape: [2] } },
    outputs: { y: { dtype: 'float32' } },
    nodes: [node('Add', ['x', 'w'], ['y'])],
    external: { w: { shape: [2], ...region } },
  });

describe('weights in files', () => {
  test('stay there, at any offset', async () => {
    await using directory = await temporaryDirectory();
    await mkdir(join(directory.path, 'data'));
    await writeFile(
      join(directory.path, 'data/w.bin'),
      new Uint8Array([9, ...new Uint8Array(Float32Array.of(5, 6).buffer)]),
    );
    const model = outside({ location: 'data/w.bin', offset: 1 });
    const { graph, results } = await importAndRun(model, { x: values(1, 2) }, { folder: directory.path });
    expect(graph.weights.get('w')?.source).toEqual({
      kind: 'weight',
      data: { file: join(directory.path, 'data/w.bin'), offset: 1, length: 8 },
    });
    expect(toNumbers(results.y ?? values())).toEqual([6, 8]);
  });

  test.each([
    [{ location: '../secret.bin' }, "'../secret.bin' is no name of a file below the folder."],
    [{ location: '/etc/hostname' }, "'/etc/hostname' is no name of a file below the folder."],
    [{ location: 'C:\\weights.bin' }, "'C:\\weights.bin' is no name of a file below the folder."],
    [{ location: 'link.bin' }, "'link.bin' is a link to 'ROOT/secret.bin', outside the folder."],
    [{ location: 'inside/../../secret.bin' }, 'is no name of a file below the folder.'],
    [{ location: 'missing.bin' }, "'missing.bin' is no file in 'ROOT/model'."],
    [{ location: 'inside' }, "'inside' is no file in 'ROOT/model'."],
    [{ location: 'short.bin' }, "'short.bin' has 4 bytes, 8 are needed."],
    [{ location: 'short.bin', offset: 4 }, "'short.bin' has 4 bytes, 12 are needed."],
  ])('are refused outside of the folder, or when they are not there: %o', async (region, message) => {
    await using directory = await temporaryDirectory();
    const folder = join(directory.path, 'model');
    await mkdir(join(folder, 'inside'), { recursive: true });
    await writeFile(join(directory.path, 'secret.bin'), new Uint8Array(64));
    await writeFile(join(folder, 'short.bin'), new Uint8Array(4));
    await symlink(join(directory.path, 'secret.bin'), join(folder, 'link.bin'));
    const imported = importAndRun(outside(region), { x: values(1, 2) }, { folder });
    await expect(imported).rejects.toThrow('GVU_MODEL_FILES');
    await expect(imported).rejects.toThrow(message.replace('ROOT', directory.path));
  });

  test.each([
    [{ location: 'w.bin', length: 4 }],
    [{ location: 'w.bin', offset: -1 }],
    [{ location: 'w.bin', offset: 'everything' }],
    [{ location: '' }],
  ])('are refused when the model contradicts itself: %o', async (region) => {
    await expect(importAndRun(outside(region), { x: values(1, 2) })).rejects.toThrow('GVU_MODEL_BROKEN');
  });

  test('need a folder', async () => {
    const model = outside({ location: 'w.bin' });
    await expect(importAndRun(model, { x: values(1, 2) })).rejects.toThrow(
      "GVU_MODEL_FILES: The model’s weight files cannot be used. It keeps them in 'w.bin'.",
    );
    await expect(importAndRun(model, { x: values(1, 2) }, { folder: '/no/such/folder' })).rejects.toThrow(
      'GVU_MODEL_FILES',
    );
  });
});

describe('before anything is built', () => {
  const import_ = (model: Uint8Array, inputs: Record<string, { dtype: 'float32' | 'int64'; shape: number[] }>) => {
    const graph = createGraph();
    const tensors = Object.fromEntries(Object.entries(inputs).map(([name, type]) => [name, input(graph, name, type)]));
    try {
      return importModel(graph, model, { inputs: tensors });
    } catch (error) {
      expect(graph.main.nodes).toEqual([]);
      throw error;
    }
  };

  test('unknown operators are named, all with their counts', () => {
    const model = foreignModel({
      inputs: { x: { dtype: 'float32', shape: [2] } },
      outputs: { y: { dtype: 'float32' } },
      nodes: [
        node('Exp', ['x'], ['a']),
        { op: 'Warp', inputs: ['a'], outputs: ['b'], domain: 'ai.custom' },
        node('Det', ['b'], ['c']),
        node('If', ['c'], ['y'], {
          then_branch: {
            graph: { inputs: {}, outputs: { d: { dtype: 'float32' } }, nodes: [node('Det', ['a'], ['d'])] },
          },
          else_branch: {
            graph: { inputs: {}, outputs: { e: { dtype: 'float32' } }, nodes: [node('Exp', ['a'], ['e'])] },
          },
        }),
      ],
    });
    expect(() => import_(model, { x: { dtype: 'float32', shape: [2] } })).toThrow(
      'GVU_MODEL_UNSUPPORTED: It uses operators that cannot be imported: Det (2), ai.custom::Warp (1).',
    );
  });

  test('inputs are compared with the declared ones, all at once', () => {
    const model = foreignModel({
      inputs: {
        ids: { dtype: 'int64', shape: ['batch', 8] },
        mask: { dtype: 'float32', shape: ['batch', 8] },
        image: { dtype: 'float32', shape: [1, 3, 4, 4] },
        rest: { dtype: 'float32' },
      },
      outputs: { y: { dtype: 'float32' } },
      nodes: [node('Neg', ['rest'], ['y'])],
    });
    const wrong = {
      ids: { dtype: 'int64' as const, shape: [2, 8] },
      mask: { dtype: 'float32' as const, shape: [3, 8] },
      image: { dtype: 'float32' as const, shape: [1, 3, 4, 5] },
      images: { dtype: 'float32' as const, shape: [1] },
    };
    expect(() => import_(model, wrong)).toThrow(
      [
        'GVU_MODEL_INPUTS: The inputs do not fit the model.',
        "'mask' makes 'batch' 3, another input 2.",
        "'image' is declared as float32[1, 3, 4, 4], given as float32[1, 3, 4, 5].",
        "'rest' (float32) is missing.",
        "'images' is no input of the model.",
      ].join(' '),
    );
  });

  test('operator sets that are too old are refused', () => {
    const model = foreignModel(
      { inputs: { x: { dtype: 'float32' } }, outputs: { y: { dtype: 'float32' } }, nodes: [node('Neg', ['x'], ['y'])] },
      { opset: 5 },
    );
    expect(() => import_(model, { x: { dtype: 'float32', shape: [2] } })).toThrow(
      'GVU_MODEL_UNSUPPORTED: Operator set 5 is older than 6.',
    );
  });
});

describe('a node that cannot be imported as it is', () => {
  const x = { dtype: 'float32', shape: [2, 3] } as const;
  const outcome = (nodes: readonly ReturnType<typeof node>[], more: Partial<ForeignGraph> = {}) => {
    const model = foreignModel({ inputs: { x }, outputs: { y: { dtype: 'float32' } }, nodes, ...more });
    return () => {
      const graph = createGraph();
      return importModel(graph, model, { inputs: { x: input(graph, 'x', x) } });
    };
  };

  test.each([
    ['an attribute nobody knows', [node('Neg', ['x'], ['y'], { axis: 1 })], "attribute 'axis' is not supported"],
    [
      'an attribute of the wrong kind',
      [node('Gemm', ['x', 'x'], ['y'], { alpha: 2 })],
      "attribute 'alpha' is of type 2",
    ],
    ['a size that is fed', [node('Reshape', ['x', 'x'], ['y'])], "operand 1 ('x') is not known before the model runs"],
    ['an operand too few', [node('Add', ['x'], ['y'])], 'operand 1 is missing'],
    ['an output too many', [node('Dropout', ['x'], ['y', 'mask'])], 'its output 1 is not supported'],
    ['a type without tensors', [node('Cast', ['x'], ['y'], { to: 8 })], 'there are no tensors of string here'],
  ])('is refused by name: %s', (_, nodes, message) => {
    expect(outcome(nodes)).toThrow(message);
  });

  test.each([
    [
      'reads what nothing computes',
      [node('Neg', ['z'], ['y'])],
      "'z', an operand of '/Neg_y', is computed by nothing.",
    ],
    ['comes twice', [node('Neg', ['x'], ['y']), node('Exp', ['x'], ['y'])], "'y' is computed twice."],
    ['is missing', [node('Neg', ['x'], ['z'])], "Output 'y' is computed by nothing."],
  ])('is reported as damage when it %s', (_, nodes, message) => {
    expect(outcome(nodes)).toThrow(`GVU_MODEL_BROKEN: This is no sound ONNX model. ${message}`);
  });

  test('makes no constants that fill the memory', () => {
    const big = tensorData('int64', [], [2 ** 40]);
    const unit = (value: number) => tensorData('int64', [], [value]);
    const range = outcome([node('Range', ['zero', 'big', 'one'], ['y'])], {
      initializers: { zero: unit(0), big, one: unit(1) },
    });
    expect(range).toThrow('a constant of 1099511627776 elements is too large');
  });
});

test('damaged models are imported or refused by a code', () => {
  const graph = createGraph({ name: 'own' });
  const x = input(graph, 'x', { dtype: 'float32', shape: [2, 4] });
  const { carried } = loop(graph, { trips: 3, carried: [{ initial: x, grows: 0 }] }, (_, [rows = x]) => ({
    carried: [concat([rows, slice(x, 0, { start: 1 })], 0)],
    kept: [],
  }));
  output('y', carried[0] ?? x);
  output('z', softmax(linear(x, weight(graph, 'w', tensorData('float32', [2, 4], [1, 2, 3, 4, 5, 6, 7, 8])))));
  const model = encode(graph).model;
  const outcomes = new Map<string, number>();
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(model.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      (changes) => {
        const damaged = Uint8Array.from(model);
        for (const [at, byte] of changes) damaged[at] = byte;
        const host = createGraph();
        let outcome = 'imported';
        try {
          importModel(host, damaged, { inputs: { x: input(host, 'x', { dtype: 'float32', shape: [2, 4] }) } });
        } catch (error) {
          if (!isGvuError(error)) throw error;
          outcome = error.code;
        }
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      },
    ),
    { seed: 815, numRuns: 1000 },
  );
  expect(outcomes.size).toBeGreaterThan(4);
  expect(outcomes.get('imported')).toBeGreaterThan(50);
});
