import { expect, test } from 'vitest';
import { add, exp, mul, stopGradient, straightThrough } from '../ops/arithmetic.ts';
import { branch, loop } from '../ops/control.ts';
import { linear, matmul, sum, topK } from '../ops/linear.ts';
import { concat } from '../ops/movement.ts';
import { constant, createGraph, input, output, scope, weight } from './graph.ts';
import { printGraph } from './print.ts';

test('a graph prints its weights, inputs, nodes and outputs', () => {
  const graph = createGraph({ name: 'layer' });
  const x = input(graph, 'x', { dtype: 'float32', shape: [2, 3, 4] });
  const w = weight(graph, 'proj.weight', {
    dtype: 'float32',
    shape: [5, 4],
    file: '/w.safetensors',
    offset: 8,
    length: 80,
  });
  output(
    'y',
    scope(graph, 'proj', () => linear(x, w)),
  );
  expect(printGraph(graph)).toMatchInlineSnapshot(`
    "graph layer (cpu, operator set 23)
      weight proj.weight: float32[5, 4]
      input x: float32[2, 3, 4]
      proj/Reshape: float32[6, 4] = Reshape(x, [6, 4])
      proj/Gemm: float32[6, 5] = Gemm(proj/Reshape, proj.weight, transA=0, transB=1, alpha=1, beta=1)
      proj/Reshape_1: float32[2, 3, 5] = Reshape(proj/Gemm, [2, 3, 5])
      output y: proj/Reshape_1"
  `);
});

test('bodies are indented, changing lengths are question marks', () => {
  const graph = createGraph({ name: 'growing' });
  const x = input(graph, 'x', { dtype: 'float32', shape: [1, 2] });
  const { carried, kept } = loop(graph, { trips: 3, carried: [{ initial: x, grows: 0 }] }, (_, [rows = x]) => ({
    carried: [concat([rows, x], 0)],
    kept: [sum(x)],
  }));
  const [rows = x] = carried;
  const [sums = x] = kept;
  const positive = topK(sums, 1);
  const [either = x] = branch(
    input(graph, 'flag', { dtype: 'bool', shape: [] }),
    () => [rows],
    () => [x],
  );
  output('rows', either);
  output('top', positive.indices);
  expect(printGraph(graph)).toMatchInlineSnapshot(`
    "graph growing (cpu, operator set 23)
      input x: float32[1, 2]
      input flag: bool[]
      Loop: float32[?, 2], Loop:1: float32[3] = Loop(3, 1, x)
        body:
          input loop/iteration: int64[]
          input loop/condition: bool[]
          input loop/carried_0: float32[?, 2]
          Concat: float32[?, 2] = Concat(loop/carried_0, x, axis=0)
          ReduceSum: float32[] = ReduceSum(x, [0, 1], keepdims=0)
          Identity: bool[] = Identity(loop/condition)
          output condition: Identity
          output carried_0: Concat
          output kept_0: ReduceSum
      TopK: float32[1], TopK:1: int64[1] = TopK(Loop:1, [1], axis=0, largest=1, sorted=1)
      If: float32[?, 2] = If(flag)
        then_branch:
          Identity_1: float32[?, 2] = Identity(Loop)
          output value_0: Identity_1
        else_branch:
          Identity_2: float32[1, 2] = Identity(x)
          output value_0: Identity_2
      output rows: If
      output top: TopK:1"
  `);
});

test('small constants are values, large ones names; numbers print as short as their dtype allows', () => {
  const graph = createGraph({ name: 'numbers', target: 'reference' });
  const half = input(graph, 'half', { dtype: 'float16', shape: [2] });
  const double = input(graph, 'double', { dtype: 'float64', shape: [2] });
  const single = input(graph, 'single', { dtype: 'float32', shape: [9] });
  output('a', mul(half, 0.1));
  output('b', mul(double, 0.1));
  output('c', mul(mul(single, 1 / 3), Number.POSITIVE_INFINITY));
  output('d', add(single, constant(graph, 'float32', [9], [1, 2, 3, 4, 5, 6, 7, 8, 9])));
  output('e', mul(single, -0));
  expect(printGraph(graph)).toMatchInlineSnapshot(`
    "graph numbers (reference, operator set 18)
      input half: float16[2]
      input double: float64[2]
      input single: float32[9]
      Mul: float16[2] = Mul(half, 0.1)
      Mul_1: float64[2] = Mul(double, 0.1)
      Mul_2: float32[9] = Mul(single, 0.33333334)
      Mul_3: float32[9] = Mul(Mul_2, Infinity)
      Add: float32[9] = Add(single, constant/float32_9)
      Mul_4: float32[9] = Mul(single, -0)
      output a: Mul
      output b: Mul_1
      output c: Mul_3
      output d: Add
      output e: Mul_4"
  `);
});

test('what becomes of gradients is said where it is not the rule', () => {
  const graph = createGraph({ name: 'gradients' });
  const x = input(graph, 'x', { dtype: 'float32', shape: [2, 2] });
  const soft = exp(x);
  output('y', matmul(stopGradient(x), straightThrough(x, soft), { transB: true, alpha: 0.1 }));
  expect(printGraph(graph)).toMatchInlineSnapshot(`
    "graph gradients (cpu, operator set 23)
      input x: float32[2, 2]
      Exp: float32[2, 2] = Exp(x)
      Identity: float32[2, 2] = Identity(x)  # no gradient
      Identity_1: float32[2, 2] = Identity(x)  # gradient to Exp
      FusedMatMul: float32[2, 2] = FusedMatMul(Identity, Identity_1, transA=0, transB=1, alpha=0.1)
      output y: FusedMatMul"
  `);
});
