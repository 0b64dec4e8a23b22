import { expect, it } from 'vitest';
import { checkpoint } from '../autodiff/checkpoint.ts';
import { gradients } from '../autodiff/grad.ts';
import { constant, createGraph, input, output, type Tensor, weight } from '../graph/graph.ts';
import { silu } from '../ops/activations.ts';
import { add, cast, mul } from '../ops/arithmetic.ts';
import { loop } from '../ops/control.ts';
import { gemm, sum } from '../ops/linear.ts';
import { concat, reshape } from '../ops/movement.ts';
import { compile } from './encode.ts';
import { programMemory } from './memory.ts';

const kilo = 1024;

it('counts what is alive at the same time, views not twice', () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [256] }); // 1 kB
  const a = add(x, 1); // 2 kB with x
  const b = mul(reshape(a, [16, 16]), 2); // 3 kB with x and a
  output('y', reshape(b, [256])); // a has died
  expect(compile(graph).memory).toEqual({ weightBytes: 4 + 4 + 16 + 8, fileBytes: 0, activationBytes: 3 * kilo });
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

/** A cache [1, 5, 64] that each of `trips` iterations makes longer by one row, 256 bytes; the body returns what becomes of it. */
function growing(trips: number, body = (cache: Tensor, row: Tensor) => concat([cache, row], 1)) {
  const graph = createGraph();
  const row = input(graph, 'row', { dtype: 'float32', shape: [1, 1, 64] });
  const cache = input(graph, 'cache', { dtype: 'float32', shape: [1, 5, 64] });
  const { carried } = loop(graph, { trips, carried: [{ initial: cache, grows: 1 }] }, (_, [before = cache]) => ({
    carried: [body(before, row)],
    kept: [],
  }));
  for (const last of carried) output('last', last);
  return compile(graph).memory?.activationBytes;
}

it('counts what grows in a loop at its full length: what enters the last iteration and what leaves it', () => {
  const fed = 256 + 5 * 256;
  const counters = 8 + 1;
  for (const trips of [1, 2, 100]) {
    const [entering, leaving] = [(5 + trips - 1) * 256, (5 + trips) * 256];
    // The condition is handed on by a copy that shares its memory.
    expect(growing(trips)).toBe(fed + counters + entering + leaving);
  }
});

it('follows lengths through what an iteration computes', () => {
  const twice = growing(100, (cache, row) => concat([mul(cache, 2), row], 1));
  // The product is there beside what enters and what leaves.
  expect((twice ?? 0) - (growing(100) ?? 0)).toBe(104 * 256);
});

it('counts a loop in a loop', () => {
  const outer = createGraph();
  const start = input(outer, 'start', { dtype: 'float32', shape: [1, 4] });
  const { carried } = loop(outer, { trips: 10, carried: [{ initial: start, grows: 0 }] }, (_, [rows = start]) => {
    const inner = loop(outer, { trips: 3, carried: [{ initial: rows, grows: 0 }] }, (__, [more = rows]) => ({
      carried: [concat([more, start], 0)],
      kept: [],
    }));
    return { carried: inner.carried, kept: [] };
  });
  for (const last of carried) output('last', last);
  // 28 rows enter the last outer iteration, and 30 the last inner one, which 31 leave.
  expect(compile(outer).memory?.activationBytes).toBe(16 * (1 + 28 + 30 + 31) + 2 * 9);
});

it('counts what is computed of weights alone as weights, as what it is computed to', () => {
  const graph = createGraph();
  const region = { file: '/weights', offset: 0, length: 2 * 64 * 64 };
  const halved = weight(graph, 'halved', { dtype: 'bfloat16', shape: [64, 64], ...region });
  const whole = weight(graph, 'whole', { dtype: 'float32', shape: [64, 64], ...region, length: 4 * 64 * 64 });
  const x = input(graph, 'x', { dtype: 'float32', shape: [1, 64] });
  output('y', gemm(gemm(x, cast(halved, 'float32')), whole));
  const bytes = 4 * 64 * 64;
  // The file is nowhere: it is counted, not looked at.
  expect(programMemory(graph)).toEqual({ weightBytes: 2 * bytes, fileBytes: bytes, activationBytes: 3 * 256 });
});

it('does not take a constant that many read for many', () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [64] });
  const table = constant(graph, 'float32', [64], new Array<number>(64).fill(0.5));
  output('y', mul(add(x, table), table));
  expect(compile(graph).memory?.weightBytes).toBe(256);
});
