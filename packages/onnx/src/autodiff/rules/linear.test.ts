/** Rules of products, softmax, reductions and sorting against central differences in float64; FusedMatMul, which stands in float32 graphs only, in float32. */
import { expect, test } from 'vitest';
import { fused, type GradientCase, testGradients } from '../../../test/gradient-case.ts';
import { useSharedRuntime } from '../../../test/shared-runtime.ts';
import { createGraph, input, type Tensor } from '../../graph/graph.ts';
import { add, cast, exp, mul } from '../../ops/arithmetic.ts';
import * as ops from '../../ops/linear.ts';
import { tensorData } from '../../tensor-data.ts';
import { gradients } from '../grad.ts';
import type { linearRules } from './linear.ts';

useSharedRuntime();

const A = { shape: [2, 3, 4] };
const flags = [false, true] as const;
const one = (what: string, build: GradientCase['build'], ...inputs: GradientCase['inputs']): GradientCase => ({
  what,
  build,
  inputs,
});

const products = [
  [
    [3, 4],
    [4, 5],
  ],
  [
    [2, 3, 4],
    [2, 4, 5],
  ],
  [
    [2, 3, 4],
    [4, 5],
  ],
  [
    [3, 4],
    [2, 4, 5],
  ],
  [
    [2, 1, 3, 4],
    [1, 3, 4, 5],
  ],
  [
    [5, 2, 1, 3],
    [3, 2],
  ],
  [
    [1, 6],
    [6, 1],
  ],
  [
    [0, 3],
    [3, 2],
  ],
  [
    [2, 0],
    [0, 3],
  ],
] as const;

/** The shape of a factor before it is transposed. */
const before = (shape: readonly number[], swap: boolean) =>
  swap ? [...shape.slice(0, -2), ...shape.slice(-2).toReversed()] : shape;

const fusedProducts = products.slice(0, 6).flatMap(([a, b]) =>
  flags.flatMap((transA) =>
    flags.map((transB) => ({
      ...one(
        `[${a}]${transA ? 'ᵀ' : ''} times [${b}]${transB ? 'ᵀ' : ''}`,
        (x, y) => ops.matmul(x, y, { transA, transB, alpha: 0.7 }),
        { shape: before(a, transA) },
        { shape: before(b, transB) },
      ),
      options: fused,
    })),
  ),
);

const addends = [undefined, [3, 5], [5], [3, 1], [1, 1], []] as const;
const gemms = flags.flatMap((transA) =>
  flags.flatMap((transB) =>
    addends.map((c) =>
      one(
        `A${transA ? 'ᵀ' : ''} B${transB ? 'ᵀ' : ''}${c ? ` + [${c}]` : ''}`,
        (a, b, addend) => ops.gemm(a, b, { transA, transB, alpha: -1.3, addend }),
        { shape: before([3, 4], transA) },
        { shape: before([4, 5], transB) },
        ...(c ? [{ shape: c }] : []),
      ),
    ),
  ),
);

type Reduce = (x: Tensor, axes?: readonly number[], options?: { keepDims?: boolean }) => Tensor;
function reductions(reduce: Reduce, range: { low?: number; high?: number } = {}): GradientCase[] {
  const axes = [undefined, [0], [-1], [0, 2], [1, -1], [2, 0]];
  return [
    ...axes.flatMap((list) =>
      flags.map((keepDims) =>
        one(`axes ${list ?? 'all'}${keepDims ? ', kept' : ''}`, (x) => exp(reduce(x, list, { keepDims })), {
          ...A,
          ...range,
        }),
      ),
    ),
    one('a vector', (x) => reduce(x), { shape: [5], ...range }),
    one('axes of length 1', (x) => reduce(x, [1]), { shape: [3, 1], ...range }),
  ];
}

const cases: Record<keyof typeof linearRules, readonly GradientCase[]> = {
  MatMul: [
    ...products.map(([a, b]) => one(`[${a}] times [${b}]`, (x, y) => ops.matmul(x, y), { shape: a }, { shape: b })),
    one('a matrix with itself', (x) => ops.matmul(x, x), { shape: [3, 3] }),
    one(
      'one matrix on the right of two products',
      (x, y, w) => ops.matmul(ops.matmul(x, w), add(w, ops.matmul(y, w))),
      { shape: [2, 3, 4] },
      { shape: [4, 4] },
      { shape: [4, 4] },
    ),
  ],
  FusedMatMul: fusedProducts,
  Gemm: [
    ...gemms,
    one(
      'one weight in two products, whose gradients add up',
      (x, w) => ops.gemm(exp(ops.gemm(x, w, { transB: true })), w),
      { shape: [3, 4] },
      { shape: [5, 4] },
    ),
    one('one tensor as all three operands', (x) => ops.gemm(x, x, { addend: x }), { shape: [3, 3] }),
    one('no rows', (x, w, b) => ops.linear(x, w, b), { shape: [0, 3] }, { shape: [2, 3] }, { shape: [2] }),
    one(
      'a layer on many axes',
      (x, w, b) => ops.linear(x, w, b),
      { shape: [2, 3, 4] },
      { shape: [5, 4] },
      { shape: [5] },
    ),
  ],
  Softmax: [-1, 0, 1].map((axis) => one(`axis ${axis}`, (x) => ops.softmax(x, axis), A)),
  LogSoftmax: [-1, 0, 1].map((axis) => one(`axis ${axis}`, (x) => ops.logSoftmax(x, axis), A)),
  ReduceSum: [...reductions(ops.sum), one('no elements', (x) => ops.sum(x, [0]), { shape: [0, 2] })],
  ReduceMean: reductions(ops.mean),
  ReduceMax: [
    ...reductions(ops.reduceMax),
    one('two elements tie', (x) => ops.reduceMax(x, [1]), tensorData('float64', [2, 3], [1, 2, 2, 3, 0, 3])),
  ],
  ReduceMin: [
    ...reductions(ops.reduceMin),
    one('two elements tie', (x) => ops.reduceMin(x, [1]), tensorData('float64', [2, 3], [1, 1, 2, 0, 3, 0])),
  ],
  ReduceProd: [
    ...reductions(ops.reduceProd, { low: 0.5, high: 1.5 }),
    one(
      'zeros among the factors',
      (x) => ops.reduceProd(x, [1]),
      tensorData('float64', [3, 3], [1, 0, 2, 0, 0, 3, 4, 5, 6]),
    ),
  ],
  CumSum: flags.flatMap((exclusive) =>
    flags.flatMap((reverse) =>
      [0, -2].map((axis) =>
        one(
          `axis ${axis}${exclusive ? ', exclusive' : ''}${reverse ? ', reverse' : ''}`,
          (x) => exp(ops.cumsum(x, axis, { exclusive, reverse })),
          A,
        ),
      ),
    ),
  ),
  TopK: [0, -1].map((axis) => one(`axis ${axis}`, (x) => exp(ops.topK(x, 2, axis).values), A)),
  ArgMax: [one('is constant almost everywhere', (x) => mul(x, cast(ops.argmax(x, 1, { keepDims: true }), x.dtype)), A)],
};

testGradients(cases);

testGradients({
  MatMul: [
    one('variance', (x) => add(ops.variance(x, [-1], { correction: 1, keepDims: true }), ops.matmul(x, x)), {
      shape: [3, 3],
    }),
  ],
});

test('a shared weight costs no addition', () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [3, 4] });
  const w = input(graph, 'w', { dtype: 'float32', shape: [4, 4] });
  gradients(ops.sum(ops.gemm(ops.gemm(x, w), w)), [w]);
  expect(graph.main.nodes.map(({ op }) => op)).not.toContain('Add');
});

test('a matrix under many axes gets its gradient from one product, not from a product for each and a sum', () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [8, 3, 4] });
  const w = input(graph, 'w', { dtype: 'float32', shape: [4, 5] });
  const before = graph.main.nodes.length;
  gradients(ops.sum(ops.matmul(x, w)), [w]);
  expect(graph.main.nodes.slice(before + 2).map(({ op }) => op)).toEqual([
    'Reshape',
    'Expand',
    'Reshape',
    'Reshape',
    'Gemm',
  ]);
});
