/** For tests of everything that builds graphs for CUDA: that each node would find its kernel there. There is no GPU needed. */
import { expect } from 'vitest';
import type { Graph } from '../src/graph/graph.ts';
import { graphProblems } from '../src/graph/verify.ts';
import { cudaProblems } from '../src/lowering/kernels.ts';

/** Fails with the name of every node without a CUDA kernel, and with everything that is wrong with the graph. */
export function assertCudaReady(graph: Graph): void {
  expect(graph.target).toBe('cuda');
  expect(graph.main.outputs, 'a graph without outputs has nothing to check').not.toEqual([]);
  expect([...graphProblems(graph), ...cudaProblems(graph)]).toEqual([]);
}
