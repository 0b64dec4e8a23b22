/**
 * What tells two checkpoints apart, without reading gigabytes: their configuration, the headers of their files, and bytes from places
 * spread evenly over each. Training changes nearly all bytes of a weight, so that such a sample shows it.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Checkpoint } from '@gvu/onnx';

const places = 256;
const bytesEach = 16_384;

/** Twelve hexadecimal digits. `facts` are what else drawings depend on. */
export async function fingerprint({ tensors }: Checkpoint, facts: unknown): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(facts));
  for (const { name, dtype, shape, offset } of tensors.values())
    hash.update(JSON.stringify([name, dtype, shape, offset]));
  for (const file of new Set([...tensors.values()].map((entry) => entry.file))) {
    await using handle = await open(file, 'r');
    const { size } = await handle.stat();
    const buffer = new Uint8Array(bytesEach);
    const step = Math.max(bytesEach, Math.ceil(size / places));
    for (let at = 0; at < size; at += step) {
      const { bytesRead } = await handle.read(buffer, 0, bytesEach, at);
      hash.update(buffer.subarray(0, bytesRead));
    }
  }
  return hash.digest('hex').slice(0, 12);
}
