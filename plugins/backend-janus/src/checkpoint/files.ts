/**
 * The files of a checkpoint's weights: safetensors, or, where a directory has none, what `torch.save` wrote. DeepSeek published
 * Janus-Pro in that form alone: `pytorch_model.bin`, for 7B in shards under `pytorch_model.bin.index.json`. Nothing in such a file is
 * run; its tensors are used where they lie.
 */
import { realpath } from 'node:fs/promises';
import { isRecord } from '@gvu/core';
import { modelErrors, openTorch, readModelJson, type TorchEntry } from '@gvu/models';
import { type Checkpoint, openCheckpoint, resolveInside } from '@gvu/onnx';

const whole = 'pytorch_model.bin';
const index = 'pytorch_model.bin.index.json';

/** Throws what `openCheckpoint` and `openTorch` throw; GVU_MODEL_FILE, GVU_MODEL_WEIGHTS and GVU_CHECKPOINT_LINK for shards. */
export async function openWeights(folder: string): Promise<Checkpoint> {
  const root = await realpath(folder).catch(() => folder); // what is not there is reported below
  const has = async (name: string) => (await resolveInside(root, name)) !== undefined;
  if ((await has('model.safetensors')) || (await has('model.safetensors.index.json'))) return openCheckpoint(root);
  if (await has(whole)) return joined(root, [whole]);
  if (await has(index)) return joined(root, await shardNames(root));
  return openCheckpoint(root); // which says what is missing
}

async function shardNames(root: string): Promise<readonly string[]> {
  const { weight_map: map } = await readModelJson(root, index);
  const names = isRecord(map) ? [...new Set(Object.values(map))] : [];
  const isName = (name: unknown): name is string => typeof name === 'string' && /^[\w.-]+\.bin$/.test(name);
  if (names.length > 0 && names.every(isName)) return names;
  throw modelErrors.error('GVU_MODEL_FILE', `'${index}' in '${root}' does not list files in its own directory.`, {
    hint: 'Get it again together with its shards.',
  });
}

/** All tensors of all files. A name that two files have is refused: one of them would win unseen. */
async function joined(root: string, names: readonly string[]): Promise<Checkpoint> {
  const tensors = new Map<string, TorchEntry>();
  const problems: string[] = [];
  for (const name of names) {
    const path = await resolveInside(root, name);
    if (path === undefined) {
      problems.push(`the shard '${name}' is missing`);
      continue;
    }
    const file = await openTorch(path);
    for (const entry of file.tensors.values()) {
      if (tensors.has(entry.name)) problems.push(`'${entry.name}' is in '${name}' and in another shard`);
      if (entry.strides) problems.push(`'${entry.name}' does not lie row by row in '${name}'`);
      tensors.set(entry.name, entry);
    }
  }
  if (problems.length === 0) return { files: [], tensors };
  throw modelErrors.error('GVU_MODEL_WEIGHTS', `The weights in '${root}' cannot be used: ${problems.join('; ')}.`, {
    hint: 'Get the files again, or convert them to safetensors.',
    details: { problems },
  });
}
