/** Running a program once, and comparing what it gives with a reference. */

import { checkpointWeights, createModules, type Modules } from '@gvu/models';
import type { Checkpoint } from '@gvu/onnx';
import {
  compile,
  createGraph,
  type Graph,
  output,
  type Runtime,
  type Target,
  type Tensor,
  type TensorData,
  toNumbers,
} from '@gvu/onnx';
import { expect } from 'vitest';

export const tolerance = 5e-5;

interface RunOptions {
  readonly runtime: Runtime;
  readonly checkpoint: Checkpoint;
  readonly target?: Target;
  readonly dtype?: 'float32' | 'float64';
}

/** Builds a graph around a checkpoint's weights and runs it once. */
export async function runModules(
  { runtime, checkpoint, target = 'cpu', dtype = 'float32' }: RunOptions,
  build: (modules: Modules) => Readonly<Record<string, Tensor>>,
): Promise<Readonly<Record<string, TensorData>>> {
  const graph = createGraph({ name: 'test', target });
  for (const [name, tensor] of Object.entries(build(createModules(graph, checkpointWeights(graph, checkpoint, dtype)))))
    output(name, tensor);
  await using session = await runtime.load(compile(graph));
  return await session.run<string>({});
}

export function valuesOf(tensor: TensorData | undefined): readonly number[] {
  if (!tensor) throw new Error('an output is missing');
  return toNumbers(tensor);
}

/** The largest difference of two lists of one length. */
export function difference(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (b[i] ?? Number.NaN))), 0);
}

export function expectNear(found: readonly number[], reference: readonly number[], within: number): void {
  expect(difference(found, reference)).toBeLessThanOrEqual(within);
}

export function expectClose(found: TensorData | undefined, reference: TensorData): void {
  expectNear(valuesOf(found), toNumbers(reference), tolerance);
}

/** What the node of this name gives. */
export function nodeOutput({ main }: Graph, name: string): Tensor {
  const [tensor] = main.nodes.find((node) => node.name === name)?.outputs ?? [];
  if (!tensor) throw new Error(`there is no node '${name}'`);
  return tensor;
}
