/** The directory of a fixture: below `fixtures/` of the repository, or below what the environment variable GVU_FIXTURES names. */
import { join, resolve } from 'node:path';
import { openSafetensors, readTensors, type TensorData, toNumbers } from '@gvu/onnx';
import { expect } from 'vitest';

export function fixture(name: string): string {
  return join(resolve(process.env.GVU_FIXTURES ?? join(import.meta.dirname, '../../../fixtures')), name);
}

/** Tensors of a fixture's `expected.safetensors`, by name. */
export interface Expected {
  has(name: string): boolean;
  tensor(name: string): TensorData;
  values(name: string): number[];
  /** Rows of the last axis. */
  rows(name: string): number[][];
}

export async function readExpected(folder: string): Promise<Expected> {
  const file = await openSafetensors(join(folder, 'expected.safetensors'));
  const tensors = await readTensors(file.tensors.values());
  const tensor = (name: string): TensorData => {
    const found = tensors.get(name);
    if (!found) throw new Error(`the fixture lacks ${name}`);
    return found;
  };
  const values = (name: string) => [...toNumbers(tensor(name))];
  return {
    has: (name) => tensors.has(name),
    tensor,
    values,
    rows: (name) => inRows(values(name), tensor(name).shape.at(-1) ?? 1),
  };
}

export function inRows<T>(values: readonly T[], columns: number): T[][] {
  return Array.from({ length: values.length / columns }, (_, i) => values.slice(i * columns, (i + 1) * columns));
}

/** The values of a program's output. */
export function numbers(tensor: TensorData | undefined): readonly number[] {
  if (!tensor) throw new Error('an output is missing');
  return toNumbers(tensor);
}

export function difference(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (b[i] ?? Number.NaN))), 0);
}
