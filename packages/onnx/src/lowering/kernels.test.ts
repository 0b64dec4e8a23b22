import { readFileSync } from 'node:fs';
import { isGvuError } from '@gvu/core';
import { describe, expect, test } from 'vitest';
import { compile } from '../codec/encode.ts';
import type { DType } from '../dtype.ts';
import { createGraph, type Graph, input, output, type Tensor } from '../graph/graph.ts';
import { specs } from '../graph/specs.ts';
import { cast, equal, log, mul } from '../ops/arithmetic.ts';
import { branch, loop } from '../ops/control.ts';
import { matmul, sum, topK } from '../ops/linear.ts';
import { gather, pad } from '../ops/movement.ts';
import { cudaProblems, requireCuda } from './kernels.ts';

/** The problems of a graph for CUDA with one input x [4, 4]. */
function problemsOf(dtype: DType, build: (x: Tensor, graph: Graph) => Tensor): readonly string[] {
  const graph = createGraph({ name: 'g', target: 'cuda' });
  output('y', build(input(graph, 'x', { dtype, shape: [4, 4] }), graph));
  return cudaProblems(graph);
}

describe('every node needs a kernel', () => {
  test('for the element type', () => {
    expect(problemsOf('float32', (x) => log(x))).toEqual([]);
    expect(problemsOf('float16', (x) => log(x))).toEqual([]);
    expect(problemsOf('bfloat16', (x) => log(x))).toEqual(["'Log': CUDA has no Log for 'x', bfloat16[4, 4]."]);
    expect(problemsOf('bfloat16', (x) => cast(log(cast(x, 'float32')), 'bfloat16'))).toEqual([]);
    expect(problemsOf('bfloat16', (x) => matmul(x, x, { transB: true }))).toEqual([]);
    expect(
      problemsOf('int64', (x) =>
        pad(x, [
          [1, 0],
          [0, 0],
        ]),
      ),
    ).toEqual(["'Pad': CUDA has no Pad for 'x', int64[4, 4]."]);
    expect(problemsOf('bfloat16', (x) => topK(x, 2).values)).toEqual([
      "'TopK': CUDA has no TopK for 'x', bfloat16[4, 4].",
    ]);
  });

  test('of every operand, not only the first', () => {
    const graph = createGraph({ name: 'g', target: 'cuda' });
    const x = input(graph, 'x', { dtype: 'float32', shape: [4] });
    const y = gather(x, input(graph, 'i', { dtype: 'int64', shape: [2] }));
    output('y', y);
    expect(cudaProblems(graph)).toEqual([]);
    const node = y.source.kind === 'node' ? y.source.node : undefined;
    if (node?.inputs[1]) Object.assign(node.inputs[1], { dtype: 'uint8' });
    expect(cudaProblems(graph)).toEqual(["'Gather': CUDA has no Gather for 'i', uint8[2]."]);
  });

  test('for the version that the operator set gives the operator', () => {
    const graph = createGraph({ name: 'g', target: 'cuda' });
    const x = input(graph, 'x', { dtype: 'float32', shape: [4] });
    output('y', equal(x, x));
    expect(cudaProblems(graph)).toEqual([]);
    Object.assign(graph, { opset: 19 });
    expect(cudaProblems(graph)).toEqual([
      "'Equal': CUDA has no kernel for version 19 of Equal, only for 13+ and [11, 12].",
    ]);
  });

  test('inside of bodies', () => {
    const inLoop = problemsOf('bfloat16', (x, graph) => {
      const { carried } = loop(graph, { trips: 2, carried: [{ initial: x }] }, (_, [value = x]) => ({
        carried: [log(value)],
        kept: [],
      }));
      return carried[0] ?? x;
    });
    expect(inLoop).toEqual(["'Log': CUDA has no Log for 'loop/carried_0', bfloat16[4, 4]."]);
    const inBranch = problemsOf('bfloat16', (x) => {
      const [y = x] = branch(
        equal(sum(cast(x, 'float32')), 0),
        () => [x],
        () => [log(x)],
      );
      return y;
    });
    expect(inBranch).toEqual(["'Log': CUDA has no Log for 'x', bfloat16[4, 4]."]);
  });

  test('if the program needs it', () => {
    const unused = problemsOf('bfloat16', (x) => {
      log(x);
      return mul(x, 2);
    });
    expect(unused).toEqual([]);
  });

  test('of an operator that CUDA knows at all', () => {
    const graph = createGraph({ name: 'g', target: 'cuda' });
    const y = log(input(graph, 'x', { dtype: 'float32', shape: [2] }));
    output('y', y);
    if (y.source.kind === 'node') Object.assign(y.source.node, { op: 'Bernoulli' });
    expect(cudaProblems(graph)).toEqual(["'Log': CUDA has no Bernoulli."]);
  });
});

describe('a graph for CUDA', () => {
  const graphOf = (target: 'cuda' | 'cpu'): Graph => {
    const graph = createGraph({ name: 'g', target });
    let x = cast(input(graph, 'x', { dtype: 'float32', shape: [2] }), 'bfloat16');
    for (let i = 0; i < 12; i++) x = log(x);
    output('y', cast(x, 'float32'));
    return graph;
  };

  test('is refused as a whole, with every node', () => {
    let thrown: unknown;
    try {
      requireCuda(graphOf('cuda'));
    } catch (error) {
      thrown = error;
    }
    if (!isGvuError(thrown, 'GVU_GRAPH_DEVICE')) throw new Error(`threw ${String(thrown)}`);
    expect(thrown.details?.problems).toHaveLength(12);
    expect(thrown.message).toContain("12 node(s) of 'g' would not run on CUDA: 'Log': CUDA has no Log for 'Cast'");
  });

  test('is refused when it is compiled, one for the CPU is not', () => {
    expect(() => compile(graphOf('cuda'))).toThrow('GVU_GRAPH_DEVICE');
    expect(compile(graphOf('cpu')).inputs).toHaveLength(1);
  });
});

interface Signature {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

describe('the tables', () => {
  const read = (name: string) => JSON.parse(readFileSync(new URL(`../../data/${name}`, import.meta.url), 'utf8'));
  const kernels: Partial<Record<string, Record<string, { opset: string }[]>>> = read('cuda-kernels.json').cuda;
  const versions: Record<string, Record<string, Signature>> = read('operator-versions.json').operators;
  const standard = Object.entries(specs).flatMap(([op, { domain }]) => (domain === '' && versions[op] ? [op] : []));

  /** Operators of ours that have no kernel at an operator set, with the version they have there. */
  function gaps(opset: number): readonly string[] {
    return standard.flatMap((op) => {
      const version = Object.keys(versions[op] ?? {})
        .map(Number)
        .filter((since) => since <= opset)
        .at(-1);
      const ranges = kernels['ai.onnx']?.[op] ?? [];
      const served = ranges.some(({ opset: range }) => {
        const [low = 0, high = low] = (range.match(/\d+/g) ?? []).map(Number);
        return version !== undefined && version >= low && version <= high;
      });
      return version === undefined || served ? [] : [`${op}-${version}`];
    });
  }

  test('know every operator of ours', () => {
    const own = ['SimplifiedLayerNormalization', 'FusedMatMul', 'QuickGelu', 'RotaryEmbedding'];
    expect(new Set([...standard, ...own])).toEqual(new Set(Object.keys(specs)));
    for (const [op, { domain }] of Object.entries(specs))
      expect(kernels[domain === '' ? 'ai.onnx' : domain], op).toHaveProperty(op);
  });

  test('give operator set 18 a kernel for every operator that it has, and none of the newer ones', () => {
    expect(gaps(18)).toEqual([]);
    expect(gaps(19)).toMatchInlineSnapshot(`
      [
        "Equal-19",
        "Pad-19",
      ]
    `);
    expect(gaps(20)).toMatchInlineSnapshot(`
      [
        "Equal-19",
        "ReduceMax-20",
        "ReduceMin-20",
        "Pad-19",
      ]
    `);
    expect(gaps(23)).toMatchInlineSnapshot(`
      [
        "Sin-22",
        "Cos-22",
        "Softplus-22",
        "Round-22",
        "Equal-19",
        "Identity-23",
        "ReduceMax-20",
        "ReduceMin-20",
        "Pad-23",
        "ConvTranspose-22",
        "MaxPool-22",
        "Loop-23",
        "If-23",
      ]
    `);
  });
});
