/** Uses of one operator whose gradients are compared with differences: the tests of the gradient rules are tables of them. */
import { expect, test } from 'vitest';
import { type CheckOptions, checkGradients, type RandomInput } from '../src/autodiff/check.ts';
import { createGraph, input, type Tensor } from '../src/graph/graph.ts';
import type { TensorData } from '../src/tensor-data.ts';
import { sharedRuntime } from './shared-runtime.ts';

export interface GradientCase {
  readonly what: string;
  readonly build: (...inputs: Tensor[]) => Tensor;
  readonly inputs: readonly (TensorData | RandomInput)[];
  /** In float64 on `reference` unless told otherwise. */
  readonly options?: Pick<CheckOptions, 'target' | 'dtype' | 'tolerance' | 'step'>;
}

/** The fused kernel in float32, against differences of its decomposed twin in float64. */
export const fused = { target: 'cpu', dtype: 'float32' } as const;

/** One test a case: the operator is in the graph, and its gradients agree with differences. */
export function testGradients(cases: Readonly<Record<string, readonly GradientCase[]>>): void {
  const rows = Object.entries(cases).flatMap(([op, list]) => list.map((one) => ({ ...one, op })));
  test.each(rows)('$op: $what', async ({ op, build, inputs, options = {} }) => {
    const { target = 'reference', dtype = 'float64' } = options;
    const graph = createGraph({ target });
    build(
      ...inputs.map((given, i) =>
        input(graph, `input_${i}`, {
          dtype: 'data' in given && !given.dtype.startsWith('float') ? given.dtype : dtype,
          shape: given.shape,
        }),
      ),
    );
    expect(graph.main.nodes.map((node) => node.op)).toContain(op);
    await checkGradients(build, inputs, { ...options, runtime: sharedRuntime() });
  });
}
