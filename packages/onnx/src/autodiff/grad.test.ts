import { describe, expect, test } from 'vitest';
import { runGraph } from '../../test/run-graph.ts';
import { createGraph, input, output, type Tensor } from '../graph/graph.ts';
import { printGraph } from '../graph/print.ts';
import { add, cast, exp, mul, sin, stopGradient, straightThrough } from '../ops/arithmetic.ts';
import { branch, loop } from '../ops/control.ts';
import { gemm, sum, topK } from '../ops/linear.ts';
import { tensorData, toNumbers } from '../tensor-data.ts';
import { checkpoint } from './checkpoint.ts';
import { gradients } from './grad.ts';

/** Gradients of the sum of f at these values, run once. */
async function gradientsAt(
  values: readonly number[],
  f: (...xs: Tensor[]) => Tensor,
): Promise<readonly (readonly number[])[]> {
  const graph = createGraph({ target: 'reference' });
  const xs = values.map((_, i) => input(graph, `x${i}`, { dtype: 'float64', shape: [] }));
  for (const [i, gradient] of gradients(f(...xs), xs).entries()) output(`d${i}`, gradient);
  const feeds = Object.fromEntries(values.map((value, i) => [`x${i}`, tensorData('float64', [], [value])]));
  const results = await runGraph(graph, feeds);
  return values.map((_, i) => {
    const result = results[`d${i}`];
    return result ? toNumbers(result) : [];
  });
}

test('paths add up, and a tensor without a path has zeros', async () => {
  const found = await gradientsAt([0.5, 2], (x) => add(mul(exp(x), sin(x)), exp(x)));
  expect(found[0]?.[0]).toBeCloseTo(Math.exp(0.5) * (Math.sin(0.5) + Math.cos(0.5) + 1), 12);
  expect(found[1]).toEqual([0]);
});

test('a gradient is differentiable again', async () => {
  const [found] = await gradientsAt([0.5], (x) => gradients(mul(exp(x), sin(x)), [x])[0] ?? x);
  expect(found?.[0]).toBeCloseTo(2 * Math.exp(0.5) * Math.cos(0.5), 12);
});

test('stopGradient lets nothing through; straightThrough hands the gradient to the soft value', async () => {
  expect(await gradientsAt([3, 4], (x, y) => mul(stopGradient(x), y))).toEqual([[0], [3]]);
  expect(await gradientsAt([3, 4], (x, y) => mul(straightThrough(exp(x), mul(y, 5)), x))).toEqual([
    [Math.exp(3)],
    [15],
  ]);
});

test('frozen weights cost nothing', () => {
  const graph = createGraph();
  const [x, w, a] = ['x', 'w', 'a'].map((name) => input(graph, name, { dtype: 'float32', shape: [4, 4] }));
  if (!x || !w || !a) throw new Error('no inputs');
  const loss = sum(gemm(gemm(x, w), a));
  const before = graph.main.nodes.length;
  gradients(loss, [a]);
  // The expanded 1, and one product.
  expect(graph.main.nodes.slice(before).map(({ op }) => op)).toEqual(['Reshape', 'Expand', 'Gemm']);
});

test('the graph of a gradient reads like its rules, under the names of the nodes it belongs to', () => {
  const graph = createGraph({ name: 'square' });
  const x = input(graph, 'x', { dtype: 'float32', shape: [3] });
  const [dx] = gradients(sum(exp(mul(x, x))), [x]);
  if (dx) output('dx', dx);
  expect(printGraph(graph)).toMatchInlineSnapshot(`
    "graph square (cpu, operator set 23)
      input x: float32[3]
      Mul: float32[3] = Mul(x, x)
      Exp: float32[3] = Exp(Mul)
      ReduceSum: float32[] = ReduceSum(Exp, [0], keepdims=0)
      gradient/ReduceSum/Reshape: float32[1] = Reshape(1, [1])
      gradient/ReduceSum/Expand: float32[3] = Expand(gradient/ReduceSum/Reshape, [3])
      gradient/Exp/Mul: float32[3] = Mul(gradient/ReduceSum/Reshape, Exp)
      gradient/Mul/Mul: float32[3] = Mul(gradient/Exp/Mul, x)
      gradient/Mul/Mul_1: float32[3] = Mul(gradient/Exp/Mul, x)
      gradient/Mul/Add: float32[3] = Add(gradient/Mul/Mul, gradient/Mul/Mul_1)
      output dx: gradient/Mul/Add"
  `);
});

describe('what cannot be differentiated is refused', () => {
  const setUp = () => {
    const graph = createGraph();
    const x = input(graph, 'x', { dtype: 'float32', shape: [3] });
    return { graph, x };
  };
  const target = { code: 'GVU_AUTODIFF_TARGET' };

  test('a result that is not a scalar, without a seed; a seed of another shape or dtype', () => {
    const { x } = setUp();
    const y = exp(x);
    expect(() => gradients(y, [x])).toThrow(expect.objectContaining(target));
    expect(() => gradients(y, [x], { seed: sum(y) })).toThrow(expect.objectContaining(target));
    expect(() => gradients(y, [x], { seed: cast(y, 'float64') })).toThrow(expect.objectContaining(target));
    expect(gradients(y, [x], { seed: y })).toHaveLength(1);
  });

  test('integers on either side', () => {
    const { x } = setUp();
    const { indices } = topK(x, 2);
    expect(() => gradients(sum(indices), [x])).toThrow(expect.objectContaining(target));
    expect(() => gradients(sum(x), [indices])).toThrow(/int64: it has no gradient/);
  });

  test('a tensor of another graph', () => {
    const { x } = setUp();
    expect(() => gradients(sum(x), [setUp().x])).toThrow(expect.objectContaining(target));
  });

  test('inside a loop or a checkpointed segment', () => {
    const { graph, x } = setUp();
    const inside = (value: Tensor) => gradients(sum(value), [value])[0] ?? value;
    expect(() =>
      loop(graph, { trips: 2, carried: [{ initial: x }] }, (_, [value = x]) => ({
        carried: [inside(value)],
        kept: [],
      })),
    ).toThrow(expect.objectContaining(target));
    expect(() => checkpoint(graph, () => inside(x))).toThrow(expect.objectContaining(target));
  });

  test('through control flow, also when a body reads the tensor from outside', () => {
    const { graph, x } = setUp();
    const repeated = loop(graph, { trips: 2, carried: [{ initial: exp(x) }] }, (_, [value = x]) => ({
      carried: [mul(value, value)],
      kept: [],
    }));
    const captured = loop(graph, { trips: 2, carried: [] }, () => ({ carried: [], kept: [exp(x)] }));
    const condition = input(graph, 'condition', { dtype: 'bool', shape: [] });
    const chosen = branch(
      condition,
      () => [exp(x)],
      () => [x],
    );
    for (const y of [...repeated.carried, ...captured.kept, ...chosen])
      expect(() => gradients(sum(y), [x])).toThrow(expect.objectContaining({ code: 'GVU_AUTODIFF_NO_RULE' }));
  });
});
