/** What `compile` writes passes ONNX Runtime's loader and keeps its promises: every dtype, every place of a weight, nothing dead. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compile, encode } from '../src/codec/encode.ts';
import { readModel } from '../src/codec/read-model.ts';
import type { DType } from '../src/dtype.ts';
import {
  constant,
  createGraph,
  DYNAMIC,
  emit,
  type Graph,
  input,
  output,
  type Tensor,
  weight,
} from '../src/graph/graph.ts';
import { add, cast, exp, log, mul, neg } from '../src/ops/arithmetic.ts';
import { branch, loop } from '../src/ops/control.ts';
import { matmul, sum } from '../src/ops/linear.ts';
import { concat } from '../src/ops/movement.ts';
import { type TensorData, tensorData, toNumbers } from '../src/tensor-data.ts';
import { runGraph } from './run-graph.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const vector = { dtype: 'float32', shape: [2] } as const;
const fed = { x: tensorData('float32', [2], [1, 2]) };

function start(target: 'cpu' | 'cuda' | 'reference' = 'cpu'): { graph: Graph; x: Tensor } {
  const graph = createGraph({ name: 'g', target });
  return { graph, x: input(graph, 'x', vector) };
}

async function run(graph: Graph, feeds: Record<string, TensorData> = fed): Promise<Record<string, readonly number[]>> {
  const results = await runGraph(graph, feeds);
  return Object.fromEntries(Object.entries(results).map(([name, data]) => [name, toNumbers(data)]));
}

describe('values of every dtype', () => {
  const examples: Readonly<Record<DType, readonly number[]>> = {
    float32: [1.5, -0, 1e-42, Number.POSITIVE_INFINITY],
    float64: [1e-300, Number.MAX_VALUE, -2.5, 0.1],
    float16: [65504, 6e-8, -1.5, 0],
    bfloat16: [1e30, -0.5, 3, 0],
    int32: [-(2 ** 31), 2 ** 31 - 1, 0, 7],
    int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 0, -1],
    uint8: [0, 255, 1, 2],
    bool: [1, 0, 1, 1],
  };
  const border = (tensor: Tensor) => (tensor.dtype === 'bfloat16' ? cast(tensor, 'float32') : tensor);

  test.each(Object.entries(examples) as [DType, readonly number[]][])(
    '%s, as constant, weight and in a file',
    async (dtype, list) => {
      await using directory = await temporaryDirectory();
      const values = tensorData(dtype, [4], list);
      const file = join(directory.path, 'w.bin');
      // An odd offset: files of weights have headers of any length.
      await writeFile(file, new Uint8Array([1, 2, 3, ...new Uint8Array(values.data.buffer)]));
      const graph = createGraph();
      output('constant', border(constant(graph, dtype, [4], list)));
      output('memory', border(weight(graph, 'memory weight', values)));
      output(
        'file',
        border(weight(graph, 'file weight', { dtype, shape: [4], file, offset: 3, length: values.data.byteLength })),
      );
      const expected = toNumbers(values);
      expect(await run(graph, {})).toEqual({ constant: expected, memory: expected, file: expected });
    },
  );
});

describe('weights', () => {
  test('lie in several folders, in files of any name, once each', async () => {
    await using directory = await temporaryDirectory();
    const names = ['a/one.safetensors', 'a/b/zwei – 二.bin', 'c d/three'];
    const { graph, x } = start();
    let y = x;
    for (const [i, name] of names.entries()) {
      const file = join(directory.path, name);
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(file, new Uint8Array(Float32Array.of(10 ** i, 0, 0).buffer));
      const region = { file, offset: 0, length: 8 };
      y = add(y, weight(graph, `${name}#first`, { ...vector, ...region }));
      y = add(y, weight(graph, `${name}#second`, { ...vector, ...region, offset: 4 }));
    }
    output('y', y);
    const program = compile(graph);
    expect(program.externalFolder).toBe(directory.path);
    expect(readModel(program.model).externalFiles).toEqual(names);
    expect(await run(graph)).toEqual({ y: [1 + 111, 2] });
  });

  test('without elements need no bytes', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'empty');
    await writeFile(file, '');
    const graph = createGraph();
    const x = input(graph, 'x', { dtype: 'float32', shape: [1, 2] });
    const none = weight(graph, 'none', { dtype: 'float32', shape: [0, 2], file, offset: 0, length: 0 });
    const nothing = weight(graph, 'nothing', tensorData('float32', [0, 2], []));
    output('y', concat([none, x, nothing, constant(graph, 'float32', [0, 2], [])], 0));
    expect(await run(graph, { x: tensorData('float32', [1, 2], [3, 4]) })).toEqual({ y: [3, 4] });
  });

  test('are seen from inside of bodies, two levels deep', async () => {
    const { graph, x } = start();
    const w = weight(graph, 'w', tensorData('float32', [2], [10, 20]));
    const { carried } = loop(graph, { trips: 2, carried: [{ initial: x }] }, (_, [value = x]) => {
      const [next = x] = branch(
        cast(sum(value), 'bool'),
        () => [add(value, w)],
        () => [neg(w)],
      );
      return { carried: [next], kept: [] };
    });
    output('y', carried[0] ?? x);
    expect(await run(graph)).toEqual({ y: [21, 42] });
  });
});

describe('outputs', () => {
  test('may be inputs, constants, weights, or one value several times', async () => {
    const { graph, x } = start();
    const y = mul(x, 2);
    output('input', x);
    output('constant', constant(graph, 'float32', [], [7]));
    output('weight', weight(graph, 'w', tensorData('float32', [1], [8])));
    output('once', y);
    output('twice', y);
    const named = emit(graph, 'Neg', [y], { attributes: {}, names: ['own name'] })[0];
    output('own name', named);
    output('another', named);
    expect(await run(graph)).toEqual({
      input: [1, 2],
      constant: [7],
      weight: [8],
      once: [2, 4],
      twice: [2, 4],
      'own name': [-2, -4],
      another: [-2, -4],
    });
  });

  test('and inputs may be called anything', async () => {
    const graph = createGraph();
    const names = [
      'Add',
      'output/y',
      'α β',
      '../../x',
      '__proto__',
      'a'.repeat(300),
      'constant/float32_scalar',
      'Add_1:0',
    ];
    const tensors = names.map((name) => input(graph, name, { dtype: 'float32', shape: [] }));
    output(
      'y',
      tensors.reduce((total, tensor) => add(total, tensor)),
    );
    output('output/y_1', add(tensors[0] ?? constant(graph, 'float32', [], [0]), 0.5));
    const feeds: Record<string, TensorData> = Object.fromEntries(
      names.map((name, i) => [name, tensorData('float32', [], [i])]),
    );
    expect(await run(graph, feeds)).toEqual({ y: [28], 'output/y_1': [0.5] });
  });
});

describe('what the program does not need', () => {
  test('is not written: nodes, weights, constants', () => {
    const { graph, x } = start();
    const unused = weight(graph, 'unused', tensorData('float32', [2], [1, 2]));
    exp(add(unused, 3));
    const { carried } = loop(graph, { trips: 2, carried: [{ initial: x }] }, (_, [value = x]) => {
      log(mul(value, 5));
      return { carried: [neg(value)], kept: [] };
    });
    output('y', carried[0] ?? x);
    const { operators, weights } = readModel(compile(graph).model);
    expect(operators).toEqual([
      { domain: '', op: 'Identity', count: 2 },
      { domain: '', op: 'Loop', count: 1 },
      { domain: '', op: 'Neg', count: 1 },
    ]);
    // The trip count and the condition.
    expect(weights).toEqual({ count: 2, elements: 2 });
  });

  test('is still asked for when it is an input: programs keep their interface', async () => {
    const { graph, x } = start();
    input(graph, 'unused', vector);
    output('y', neg(x));
    expect(compile(graph).inputs.map(({ name }) => name)).toEqual(['x', 'unused']);
    expect(await run(graph, { ...fed, unused: tensorData('float32', [2], [0, 0]) })).toEqual({ y: [-1, -2] });
  });
});

describe('changing lengths', () => {
  test('pass at the border, at any size', async () => {
    const graph = createGraph();
    const x = input(graph, 'x', { dtype: 'float32', shape: [DYNAMIC, 2] });
    const w = weight(graph, 'w', tensorData('float32', [2, 1], [1, 10]));
    output('y', matmul(x, w));
    const program = compile(graph);
    expect([program.inputs[0]?.shape, program.outputs[0]?.shape]).toEqual([
      [-1, 2],
      [-1, 1],
    ]);
    for (const rows of [0, 1, 3]) {
      const values = Array.from({ length: rows * 2 }, (_, i) => i);
      const { y } = await run(graph, { x: tensorData('float32', [rows, 2], values) });
      expect(y).toEqual(Array.from({ length: rows }, (_, i) => 2 * i + 10 * (2 * i + 1)));
    }
  });
});

test('a program is a copy: the graph can go on', async () => {
  const { graph, x } = start();
  const w = weight(graph, 'w', tensorData('float32', [2], [1, 1]));
  output('y', add(x, w));
  const before = compile(graph);
  const bytes = Uint8Array.from(before.model);
  output('z', neg(x));
  if (w.source.kind === 'weight' && 'data' in w.source.data) w.source.data.data.fill(9 as never);
  expect(before.model).toEqual(bytes);
  expect(before.outputs.map(({ name }) => name)).toEqual(['y']);
  expect(compile(graph).outputs.map(({ name }) => name)).toEqual(['y', 'z']);
});

test('equal graphs make equal bytes', () => {
  const build = () => {
    const { graph, x } = start();
    const { carried } = loop(graph, { trips: 3, carried: [{ initial: mul(x, 0.1) }] }, (_, [value = x]) => ({
      carried: [add(value, 1)],
      kept: [],
    }));
    output('y', carried[0] ?? x);
    return graph;
  };
  expect(compile(build()).model).toEqual(compile(build()).model);
  expect(encode(build()).model).toEqual(encode(build()).model);
});
