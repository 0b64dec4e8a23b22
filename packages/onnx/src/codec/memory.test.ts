import { expect, it } from 'vitest';
import { checkpoint } from '../autodiff/checkpoint.ts';
import { gradients } from '../autodiff/grad.ts';
import { createGraph, input, output } from '../graph/graph.ts';
import { silu } from '../ops/activations.ts';
import { add, mul } from '../ops/arithmetic.ts';
import { gemm, sum } from '../ops/linear.ts';
import { reshape } from '../ops/movement.ts';
import { compile } from './encode.ts';

const kilo = 1024;

it('counts what is alive at the same time, views not twice', () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [256] }); // 1 kB
  const a = add(x, 1); // 2 kB with x
  const b = mul(reshape(a, [16, 16]), 2); // 3 kB with x and a
  output('y', reshape(b, [256])); // a has died
  expect(compile(graph).memory).toEqual({ weightBytes: 4 + 4 + 16 + 8, activationBytes: 3 * kilo });
});

it('frees a value after its last reader, not at the end', () => {
  const graph = createGraph();
  let x = input(graph, 'x', { dtype: 'float32', shape: [256] });
  for (let i = 0; i < 20; i++) x = add(x, 1);
  output('y', x);
  expect(compile(graph).memory?.activationBytes).toBe(3 * kilo); // the input stays
});

it('shows what computing blocks again saves', () => {
  const peak = (recompute: boolean) => {
    const graph = createGraph();
    const w = input(graph, 'w', { dtype: 'float32', shape: [64, 64] });
    let x = input(graph, 'x', { dtype: 'float32', shape: [512, 64] });
    for (let layer = 0; layer < 12; layer++) {
      const from = x;
      const build = () => silu(gemm(silu(gemm(from, w)), w));
      x = recompute ? checkpoint(graph, build) : build();
    }
    for (const gradient of gradients(sum(x), [w])) output('gradient', gradient);
    return compile(graph).memory?.activationBytes ?? Number.NaN;
  };
  expect(peak(true)).toBeLessThan(0.6 * peak(false));
});
