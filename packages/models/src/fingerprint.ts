/**
 * A name for the weights of a model, which changes when they do. Checkpoints have gigabytes, so it is made of every tensor's name,
 * type, shape and the bytes at both its ends, not of all of them.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { SafetensorsEntry } from '@gvu/onnx';

/** Of each end of a tensor. */
const SAMPLE_BYTES = 512;

/** 16 hexadecimal digits that follow from the tensors, whatever the order, and from `also`. */
export async function weightsFingerprint(
  tensors: Iterable<Pick<SafetensorsEntry, 'name' | 'fileDType' | 'shape' | 'file' | 'offset' | 'length'>>,
  also: readonly string[] = [],
): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(also));
  const sorted = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const file of new Set(sorted.map((entry) => entry.file))) {
    await using handle = await open(file, 'r');
    for (const { name, fileDType, shape, offset, length } of sorted.filter((entry) => entry.file === file)) {
      hash.update(JSON.stringify([name, fileDType, shape, length]));
      const size = Math.min(SAMPLE_BYTES, length);
      const bytes = Buffer.alloc(2 * size);
      await handle.read(bytes, 0, size, offset);
      await handle.read(bytes, size, size, offset + length - size);
      hash.update(bytes);
    }
  }
  return hash.digest('hex').slice(0, 16);
}
