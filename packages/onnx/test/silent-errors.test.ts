/**
 * What ONNX Runtime accepts without a word, shown by running it, and that the verifier does not. If one of these tests fails
 * after an upgrade because ONNX Runtime now complains, the better.
 */
import { describe, expect, test } from 'vitest';
import { encode } from '../src/codec/encode.ts';
import { createGraph, type Graph, input, isBlock, output, type Tensor, weight } from '../src/graph/graph.ts';
import { graphProblems } from '../src/graph/verify.ts';
import { add, neg } from '../src/ops/arithmetic.ts';
import { loop } from '../src/ops/control.ts';
import { concat, scatterND } from '../src/ops/movement.ts';
import { type TensorData, tensorData } from '../src/tensor-data.ts';
import { loadProgram } from './run-graph.ts';

const row = { dtype: 'float32', shape: [1, 2] } as const;
const fed = { x: tensorData('float32', [1, 2], [1, 2]) };

/** Changes what the types declare unchangeable, as code without types could. */
function corrupt<T extends object>(target: T, change: { -readonly [K in keyof T]?: unknown }): void {
  Object.assign(target, change);
}

/** Runs the graph unverified. */
async function run(
  graph: Graph,
  feeds: Record<string, TensorData> = fed,
): Promise<Record<string, [number[], number[]]>> {
  await using loaded = await loadProgram(encode(graph));
  const results = await loaded.run(feeds);
  return Object.fromEntries(
    Object.entries(results).map(([name, { shape, data }]) => [name, [[...shape], Array.from(data, Number)]]),
  );
}

function start(): { graph: Graph; x: Tensor } {
  const graph = createGraph({ name: 'g' });
  return { graph, x: input(graph, 'x', row) };
}

describe('ONNX Runtime accepts, and the verifier refuses', () => {
  test('a carried value that grows although its shape is fixed', async () => {
    const { graph, x } = start();
    const { carried } = loop(graph, { trips: 3, carried: [{ initial: x, grows: 0 }] }, (_, [rows = x]) => ({
      carried: [concat([rows, x], 0)],
      kept: [],
    }));
    const [y = x] = carried;
    output('y', y);
    const node = y.source.kind === 'node' ? y.source.node : undefined;
    const body = Object.values(node?.attributes ?? {}).find(isBlock);
    for (const tensor of [y, body?.inputs[2], body?.outputs[1]?.tensor]) if (tensor) corrupt(tensor, { shape: [1, 2] });
    expect(await run(graph)).toEqual({
      y: [
        [4, 2],
        [1, 2, 1, 2, 1, 2, 1, 2],
      ],
    });
    expect(graphProblems(graph)).toEqual(["'Concat' claims float32[1, 2] but is float32[2, 2]."]);
  });

  test('a body whose value has the name of one outside', async () => {
    const { graph, x } = start();
    const ten = weight(graph, 'ten', { ...row, data: Float32Array.of(10, 10) });
    const { carried } = loop(graph, { trips: 1, carried: [{ initial: x }] }, (_, [value = x]) => {
      corrupt(value, { name: 'ten' });
      return { carried: [add(value, ten)], kept: [] };
    });
    output('y', carried[0] ?? x);
    // Should be 11 and 12: the body adds its own value to itself.
    expect(await run(graph)).toEqual({
      y: [
        [1, 2],
        [2, 4],
      ],
    });
    expect(graphProblems(graph)).toEqual(["The name 'ten' is taken twice."]);
  });

  test('two weights of one name: the last counts', async () => {
    const { graph, x } = start();
    const first = weight(graph, 'first', { ...row, data: Float32Array.of(10, 10) });
    const second = weight(graph, 'second', { ...row, data: Float32Array.of(20, 20) });
    output('y', add(add(x, first), second));
    corrupt(first, { name: 'w' });
    corrupt(second, { name: 'w' });
    expect(await run(graph)).toEqual({
      y: [
        [1, 2],
        [41, 42],
      ],
    });
    expect(graphProblems(graph)).toEqual(["The name 'w' is taken twice."]);
  });

  test('an input of the name of a weight: what is fed is ignored', async () => {
    const { graph, x } = start();
    const w = weight(graph, 'w', { ...row, data: Float32Array.of(10, 10) });
    output('y', add(x, w));
    corrupt(w, { name: 'x' });
    expect(await run(graph)).toEqual({
      y: [
        [1, 2],
        [20, 20],
      ],
    });
    expect(graphProblems(graph)).toEqual(["The name 'x' is taken twice."]);
  });

  test('a shape that an output does not have', async () => {
    const { graph, x } = start();
    const y = neg(x);
    output('y', y);
    corrupt(y, { shape: [2, 1] });
    expect(encode(graph).outputs[0]?.shape).toEqual([2, 1]);
    expect(await run(graph)).toEqual({
      y: [
        [1, 2],
        [-1, -2],
      ],
    });
    expect(graphProblems(graph)).toEqual(["'Neg' claims float32[2, 1] but is float32[1, 2]."]);
  });

  test('a length below zero', async () => {
    const graph = createGraph({ name: 'g' });
    output('y', neg(input(graph, 'x', { dtype: 'float32', shape: [-7, 2] })));
    expect(await run(graph)).toEqual({
      y: [
        [1, 2],
        [-1, -2],
      ],
    });
    expect(graphProblems(graph)).toEqual([
      "'x' has an impossible shape [-7, 2].",
      "'Neg' has an impossible shape [-7, 2].",
    ]);
  });

  test('an unknown reduction', async () => {
    const { graph, x } = start();
    const index = input(graph, 'i', { dtype: 'int64', shape: [2, 1] });
    const y = scatterND(x, index, input(graph, 'u', { dtype: 'float32', shape: [2, 2] }));
    output('y', y);
    if (y.source.kind === 'node') corrupt(y.source.node, { attributes: { reduction: 'added' } });
    const feeds = { ...fed, i: tensorData('int64', [2, 1], [0, 0]), u: tensorData('float32', [2, 2], [5, 6, 7, 8]) };
    expect(await run(graph, feeds)).toEqual({
      y: [
        [1, 2],
        [7, 8],
      ],
    });
    expect(graphProblems(graph).join()).toContain('the reduction must be none');
  });
});
