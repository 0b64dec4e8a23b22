import { expect, test } from 'vitest';
import { runGraph } from '../../test/run-graph.ts';
import { expectTwins } from '../../test/twins.ts';
import { createGraph, input, output, type Tensor } from '../graph/graph.ts';
import { tensorData, toNumbers } from '../tensor-data.ts';
import { gelu, logSigmoid, silu } from './activations.ts';
import { mul } from './arithmetic.ts';
import { gemm, linear, matmul } from './linear.ts';

const wide = (build: (x: Tensor) => Tensor) => (x: Tensor) => build(mul(x, 6));

test.each([
  { name: 'silu', build: silu },
  { name: 'gelu by erf', build: (x: Tensor) => gelu(x) },
  { name: 'gelu by tanh', build: (x: Tensor) => gelu(x, 'tanh') },
  { name: 'logSigmoid', build: logSigmoid },
])('$name is the same fused and decomposed', async ({ build }) => {
  await expectTwins(wide(build), [[16, 33]]);
  await expectTwins(build, [[]]);
});

test.each([
  {
    name: 'matmul of transposes',
    build: (a: Tensor, b: Tensor) => matmul(a, b, { transA: true, transB: true, alpha: 1 / 3 }),
    shapes: [
      [2, 64, 9],
      [2, 17, 64],
    ],
  },
  {
    name: 'matmul by one matrix',
    build: (a: Tensor, b: Tensor) => matmul(a, b, { transB: true, alpha: 0.1 }),
    shapes: [
      [2, 9, 64],
      [17, 64],
    ],
  },
  {
    name: 'gemm',
    build: (a: Tensor, b: Tensor, c: Tensor) => gemm(a, b, { transB: true, alpha: 1 / 3, addend: c }),
    shapes: [[9, 64], [17, 64], [17]],
  },
  { name: 'linear', build: (a: Tensor, b: Tensor, c: Tensor) => linear(a, b, c), shapes: [[2, 3, 64], [17, 64], [17]] },
])('$name is the same on every target', async ({ build, shapes }) => {
  await expectTwins(build, shapes);
});

test('far from 0 nothing overflows and nothing is lost', async () => {
  const at = [-1e4, -100, -20, 20, 100, 1e4];
  for (const target of ['reference', 'cpu', 'cuda'] as const) {
    const graph = createGraph({ target });
    const x = input(graph, 'x', { dtype: 'float32', shape: [at.length] });
    output('silu', silu(x));
    output('gelu', gelu(x, 'tanh'));
    output('logSigmoid', logSigmoid(x));
    const results = await runGraph(graph, { x: tensorData('float32', [at.length], at) });
    const found = (name: string) => (results[name] ? toNumbers(results[name]) : []);
    const limits = [0, 0, 0, 20, 100, 1e4];
    for (const [i, limit] of limits.entries()) {
      expect(found('silu')[i]).toBeCloseTo(limit, 6);
      expect(found('gelu')[i]).toBeCloseTo(limit, 6);
      expect(found('logSigmoid')[i]).toBeCloseTo(limit === 0 ? (at[i] ?? 0) : 0, 6);
    }
  }
});
