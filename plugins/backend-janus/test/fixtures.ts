/** Fixtures of this plugin: below `fixtures/` of the repository, or below what the environment variable GVU_FIXTURES names. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openSafetensors, readTensors, type TensorData } from '@gvu/onnx';

export function fixture(name: string): string {
  return join(resolve(process.env.GVU_FIXTURES ?? join(import.meta.dirname, '../../../fixtures')), name);
}

export function fixtureJson<T>(name: string, file: string): T {
  return JSON.parse(readFileSync(join(fixture(name), file), 'utf8'));
}

/** The reference's tensors, by name. Asking for one that is not there throws. */
export async function expectedTensors(
  name: string,
): Promise<{ get: (key: string) => TensorData; has: (key: string) => boolean }> {
  const { tensors } = await openSafetensors(join(fixture(name), 'expected.safetensors'));
  const values = await readTensors(tensors.values());
  return {
    has: (key) => values.has(key),
    get(key) {
      const tensor = values.get(key);
      if (!tensor) throw new Error(`the fixture ${name} lacks ${key}`);
      return tensor;
    },
  };
}
