/** A checkpoint that has all sizes and no values, for building programs of a model whose weights are not there. */
import { mkdtemp, open, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Checkpoint, dtypes, type FlatEntry, type SafetensorsEntry, sizeOf } from '@gvu/onnx';

const fileTypes = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const;

export interface AbsentWeights extends Checkpoint, AsyncDisposable {}

/** All tensors lie in one hole of a temporary file, which is removed with the checkpoint. What is loaded from it is zeros. */
export async function absentWeights(
  parameters: readonly FlatEntry[],
  { dtype }: { readonly dtype: keyof typeof fileTypes },
): Promise<AbsentWeights> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'gvu-absent-'));
  const file = join(folder, 'weights');
  const entries = parameters.map(({ name, shape }): SafetensorsEntry => {
    const length = sizeOf(shape) * dtypes[dtype].bytes;
    return { name, shape, dtype, fileDType: fileTypes[dtype], file, offset: 0, length };
  });
  await using handle = await open(file, 'w');
  await handle.truncate(entries.reduce((longest, { length }) => Math.max(longest, length), 0));
  return {
    files: [],
    tensors: new Map(entries.map((entry) => [entry.name, entry])),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

/** The dtype that a `config.json` says the weights have; transformers writes bfloat16 for most. */
export function savedDType(json: Readonly<Record<string, unknown>>): keyof typeof fileTypes {
  const name = json.dtype ?? json.torch_dtype;
  return name === 'float32' || name === 'float16' ? name : 'bfloat16';
}
