/**
 * Fixtures of this package, which `tools/fixtures` makes: below what the environment variable GVU_FIXTURES names if they are there, or else
 * below `fixtures/` of the repository.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { openSafetensors, readTensors, type TensorData, toNumbers } from '@gvu/onnx';

export function fixture(name: string, ...path: readonly string[]): string {
  const own = join(import.meta.dirname, '../../../fixtures', name);
  const given = join(resolve(process.env.GVU_FIXTURES ?? dirname(own)), name);
  return join(existsSync(given) ? given : own, ...path);
}

/** What the references of `clip-tiny` gave, and what they were given. */
export async function clipTiny() {
  const { tensors } = await openSafetensors(fixture('clip-tiny', 'expected.safetensors'));
  const values = await readTensors(tensors.values());
  const get = (key: string): TensorData => {
    const tensor = values.get(key);
    if (!tensor) throw new Error(`the fixture clip-tiny lacks ${key}`);
    return tensor;
  };
  const numbers = (key: string) => toNumbers(get(key));
  const pictures = [0, 1, 2, 3].map((i) => {
    const { shape, data } = get(`image${i}`);
    if (!(data instanceof Uint8Array)) throw new TypeError('pictures are bytes');
    return { width: shape[1] ?? 0, height: shape[0] ?? 0, data };
  });
  const { texts }: { texts: string[] } = JSON.parse(readFileSync(fixture('clip-tiny', 'cases.json'), 'utf8'));
  /** Row `i` of a table. */
  const row = (key: string, i: number): readonly number[] => {
    const size = numbers(key).length / (get(key).shape[0] ?? 1);
    return numbers(key).slice(i * size, (i + 1) * size);
  };
  return { get, numbers, row, pictures, texts };
}

/** The largest difference of two lists of one length; Infinity when their lengths differ. */
export function furthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return Array.from(a).reduce((worst, value, i) => Math.max(worst, Math.abs(value - (b[i] ?? Number.NaN))), 0);
}
