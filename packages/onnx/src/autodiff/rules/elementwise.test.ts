/**
 * Element-wise rules against central differences in float64. Where ONNX Runtime 1.30 has no float64 kernel on the CPU (Erf, Gelu), or
 * the operator is used in float32 only (QuickGelu), the float32 gradient is held against float64 differences of the
 * decomposed form: 1e-5 is some ten roundings of float32.
 */
import { expect, test } from 'vitest';
import { fused, type GradientCase, testGradients } from '../../../test/gradient-case.ts';
import { runGraph } from '../../../test/run-graph.ts';
import { useSharedRuntime } from '../../../test/shared-runtime.ts';
import { createGraph, emit, input, output, type Tensor } from '../../graph/graph.ts';
import { gelu, silu } from '../../ops/activations.ts';
import * as ops from '../../ops/arithmetic.ts';
import { erf } from '../../ops/erf.ts';
import { mean, sum } from '../../ops/linear.ts';
import { tensorData, toNumbers } from '../../tensor-data.ts';
import { gradients } from '../grad.ts';
import type { elementwiseRules } from './elementwise.ts';

useSharedRuntime();

const A = { shape: [2, 3, 4] };
const positive = { shape: [2, 3], low: 0.2, high: 2 };

/** Every way in which two operands broadcast: equal, scalars on either side, trailing, leading and middle axes, both at once. */
const broadcasts = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3, 4], []],
  [[], [2, 3]],
  [[2, 3, 4], [4]],
  [[4], [2, 3, 4]],
  [
    [2, 3],
    [2, 1],
  ],
  [
    [2, 1, 4],
    [1, 3, 1],
  ],
  [[1], [2, 3]],
  [[], []],
  [[0, 3], [3]],
  [
    [1, 3],
    [0, 1],
  ],
] as const;

function binary(build: (a: Tensor, b: Tensor) => Tensor, range: { low?: number; high?: number } = {}): GradientCase[] {
  return broadcasts.map(([a, b]) => ({
    what: `[${a}] and [${b}]`,
    build,
    inputs: [
      { shape: a, ...range },
      { shape: b, ...range },
    ],
  }));
}

const one = (what: string, build: GradientCase['build'], ...inputs: GradientCase['inputs']): GradientCase => ({
  what,
  build,
  inputs,
});
const unary = (build: (x: Tensor) => Tensor, input: GradientCase['inputs'][number] = A): GradientCase[] => [
  one('all axes', build, input),
  one('scalar', build, { ...input, shape: [] }),
  one('without elements', build, { ...input, shape: [0, 2] }),
  // The gradient that arrives is a broadcast one: rules use it before its expansion.
  one('under a mean', (x) => mean(build(x), [-1], { keepDims: true }), input),
];

const cases: Record<keyof typeof elementwiseRules, readonly GradientCase[]> = {
  Identity: unary((x) => emit(x.block.graph, 'Identity', [x], { attributes: {} })[0]),
  Neg: unary(ops.neg),
  Sign: unary(ops.sign),
  Floor: unary((x) => ops.floor(ops.mul(x, 5))),
  Round: unary((x) => ops.round(ops.mul(x, 5))),
  Abs: [...unary(ops.abs), one('at 0', ops.abs, tensorData('float64', [1], [0]))],
  Exp: unary(ops.exp),
  Log: unary(ops.log, positive),
  Sqrt: unary(ops.sqrt, positive),
  Reciprocal: unary(ops.reciprocal, positive),
  Sin: unary(ops.sin),
  Cos: unary(ops.cos),
  Tanh: unary(ops.tanh),
  Sigmoid: unary(ops.sigmoid),
  Softplus: [...unary(ops.softplus), one('far from 0', ops.softplus, { shape: [9], low: -50, high: 50 })],
  Relu: unary(ops.relu),
  // Erf-13 has no float64 kernel.
  Erf: unary(erf).map((row) => ({ ...row, options: fused })),
  Add: binary(ops.add),
  Sub: binary(ops.sub),
  Mul: binary(ops.mul),
  Div: binary(ops.div, { low: 0.5, high: 2 }),
  Pow: [
    ...binary(ops.pow, { low: 0.2, high: 2 }),
    one(
      'whole powers of negative numbers and of 0',
      (x) => ops.add(ops.pow(x, 3), ops.pow(x, 2)),
      tensorData('float64', [4], [-1.5, 0, 1, -0.1]),
    ),
    one('power 0, also of 0', (x) => ops.pow(x, 0), tensorData('float64', [3], [0, 2, -1])),
    one('power 1, also of 0', (x) => ops.pow(x, 1), tensorData('float64', [3], [0, 2, -1])),
    one('power 0.5', (x) => ops.pow(x, 0.5), positive),
  ],
  // At a tie the central difference is half of the slope on the one side, which is the convention of the rules.
  Min: [
    ...binary(ops.minimum),
    one('with itself', (x) => ops.minimum(x, x), A),
    one('ties', (x) => ops.minimum(x, 0.5), tensorData('float64', [3], [0.5, 0, 1])),
  ],
  Max: [...binary(ops.maximum), one('ties', (x) => ops.maximum(0.5, x), tensorData('float64', [3], [0.5, 0, 1]))],
  Clip: [
    ...unary((x) => ops.clip(x, -0.4, 0.3)),
    one('from below only', (x) => ops.clip(x, -0.4, Number.POSITIVE_INFINITY), A),
  ],
  Where: [
    one('one shape', (a, b) => ops.where(ops.greater(a, b), ops.mul(a, a), b), A, A),
    one(
      'every operand broadcasts',
      (c, a, b) => ops.where(c, a, b),
      tensorData('bool', [3, 1], [1, 0, 1]),
      { shape: [2, 1, 4] },
      { shape: [] },
    ),
    one(
      'the condition is widest',
      (c, a, b) => ops.where(c, a, b),
      tensorData('bool', [2, 3], [1, 0, 1, 0, 0, 1]),
      { shape: [3] },
      { shape: [2, 1] },
    ),
    one(
      'numbers on either side',
      (c, a) => ops.add(ops.where(c, a, 2), ops.where(c, 1, a)),
      tensorData('bool', [3], [1, 0, 1]),
      { shape: [2, 3] },
    ),
  ],
  Cast: [
    // From float32 to float64: in the other direction differences would only see the rounding.
    { what: 'to a wider dtype', build: (x) => ops.mul(ops.cast(x, 'float64'), 3), inputs: [A], options: fused },
  ],
  QuickGelu: unary(silu).map((row) => ({ ...row, options: fused })),
  // Gelu-20 has no float64 kernel.
  Gelu: [...unary((x) => gelu(x)), ...unary((x) => gelu(x, 'tanh'))].map((row) => ({ ...row, options: fused })),
};

testGradients(cases);

test('alpha of QuickGelu other than 1', async () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [3] });
  const y = emit(graph, 'QuickGelu', [x], { attributes: { alpha: { float: 1.702 } } })[0];
  const [fromRule] = gradients(sum(y), [x]);
  const [byParts] = gradients(sum(ops.mul(x, ops.sigmoid(ops.mul(x, 1.702)))), [x]);
  if (fromRule && byParts) output('difference', ops.sub(fromRule, byParts));
  const { difference } = await runGraph(graph, { x: tensorData('float32', [3], [-2, 0.3, 4]) });
  for (const value of difference ? toNumbers(difference) : [Number.NaN]) expect(Math.abs(value)).toBeLessThan(1e-6);
});

test.each([
  { op: 'relu', build: ops.relu, at: 0, slope: 0 },
  { op: 'clip at its lower bound', build: (x: Tensor) => ops.clip(x, -1, 1), at: -1, slope: 1 },
  { op: 'clip at its upper bound', build: (x: Tensor) => ops.clip(x, -1, 1), at: 1, slope: 1 },
])('convention at a kink: $op', async ({ build, at, slope }) => {
  const graph = createGraph({ target: 'reference' });
  const x = input(graph, 'x', { dtype: 'float64', shape: [] });
  const [gradient] = gradients(build(x), [x]);
  if (gradient) output('gradient', gradient);
  const result = await runGraph(graph, { x: tensorData('float64', [], [at]) });
  expect(result.gradient && toNumbers(result.gradient)).toEqual([slope]);
});
