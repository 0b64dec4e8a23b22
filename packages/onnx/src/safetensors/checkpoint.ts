/**
 * Opens a checkpoint as Hugging Face lays them out: `model.safetensors`, or shards under `model.safetensors.index.json`
 * (`{ "weight_map": { tensor: shard } }`). Where both are present the single file wins, as in transformers. Any other name
 * can be opened by its path: a `.safetensors` file, or an `.index.json` such as diffusers writes.
 *
 * Nothing but headers is read. Index and shards must agree on every tensor, so that no weight can come from another file
 * than the index says. Which files may belong to a checkpoint is decided in `checkpoint-files.ts`.
 */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isGvuError, isRecord } from '@gvu/core';
import { onnxErrors } from '../errors.ts';
import { isLocalName, resolveInside } from './checkpoint-files.ts';
import { MAX_HEADER_BYTES } from './format.ts';
import type { SafetensorsEntry } from './header.ts';
import { listed } from './listed.ts';
import { openSafetensors, type SafetensorsFile } from './reader.ts';
import { findLaxities } from './strict-json.ts';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

export interface Checkpoint {
  /** Each file once, in the order of the index. */
  readonly files: readonly SafetensorsFile[];
  /** Every tensor of every file. */
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
}

/**
 * Opens the checkpoint at a directory, a `.safetensors` file or an `.index.json`. Throws GVU_CHECKPOINT_MISSING (nothing to
 * open), _SHARDS (every one that is missing or broken), _INDEX (every contradiction), _LINK (a file leads outside), or what
 * `openSafetensors` throws.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const kind = await stat(path).catch((cause: unknown) => {
    throw missing(`'${path}' cannot be opened: ${String(cause)}.`, { cause });
  });
  if (kind.isDirectory()) return openDirectory(await realpath(path));
  if (path.endsWith('.index.json')) return openSharded(await realpath(dirname(path)), basename(path));
  return single(await openSafetensors(path));
}

async function openDirectory(root: string): Promise<Checkpoint> {
  if (await resolveInside(root, SINGLE)) return single(await openSafetensors(join(root, SINGLE)));
  if (await resolveInside(root, INDEX)) return openSharded(root, INDEX);
  const others = (await readdir(root)).filter((name) => /\.(safetensors|index\.json|bin|pt|pth)$/.test(name));
  throw missing(`'${root}' has neither ${SINGLE} nor ${INDEX}.`, { present: others });
}

function single(file: SafetensorsFile): Checkpoint {
  return { files: [file], tensors: file.tensors };
}

async function openSharded(root: string, indexName: string): Promise<Checkpoint> {
  const index = join(root, indexName);
  const weightMap = await readWeightMap(root, indexName);
  const names = [...new Set(weightMap.values())];
  const paths = await Promise.all(names.map((name) => resolveInside(root, name)));
  const problems = names.filter((_, i) => paths[i] === undefined).map((name) => `'${name}' is missing`);
  const shards = new Map<string, SafetensorsFile>();
  for (const name of names.filter((_, i) => paths[i] !== undefined)) {
    try {
      shards.set(name, await openSafetensors(join(root, name)));
    } catch (error) {
      if (!isGvuError(error)) throw error;
      problems.push(error.message.replace(/\.$/, ''));
    }
  }
  if (problems.length > 0)
    throw onnxErrors.error(
      'GVU_CHECKPOINT_SHARDS',
      `${problems.length} of the ${names.length} shards of '${index}' cannot be used: ${listed(problems)}.`,
      { hint: 'Download the checkpoint again until it is whole.', details: { index, problems } },
    );
  const tensors = joinShards(index, weightMap, shards);
  return { files: [...shards.values()], tensors };
}

async function readWeightMap(root: string, indexName: string): Promise<ReadonlyMap<string, string>> {
  const index = join(root, indexName);
  const fault = (problems: readonly string[], cause?: unknown) =>
    onnxErrors.error('GVU_CHECKPOINT_INDEX', `The index '${index}' is wrong: ${listed(problems)}.`, {
      hint: 'Get it again together with its shards.',
      cause,
      details: { index, problems },
    });
  if (!(await resolveInside(root, indexName))) throw missing(`There is nothing at '${index}'.`);
  const kind = await stat(index);
  if (!kind.isFile()) throw fault(['it is not a regular file']);
  if (kind.size > MAX_HEADER_BYTES) throw fault([`it has ${kind.size} bytes, more than ${MAX_HEADER_BYTES}`]);
  const text = await readFile(index, 'utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fault(['it is not JSON'], error);
  }
  const { repeatedKeys } = findLaxities(text);
  if (repeatedKeys.length > 0) throw fault(repeatedKeys.map((key) => `it has '${key}' more than once`));
  if (!isRecord(value) || !isRecord(value.weight_map)) throw fault(['it has no object "weight_map"']);
  const weightMap = new Map<string, string>();
  const problems: string[] = [];
  for (const [tensor, shard] of Object.entries(value.weight_map)) {
    if (typeof shard !== 'string') problems.push(`tensor '${tensor}' has no file name`);
    else if (!isLocalName(shard)) problems.push(`tensor '${tensor}' lies in '${shard}', outside the directory`);
    else weightMap.set(tensor, shard);
  }
  if (problems.length > 0) throw fault(problems);
  return weightMap;
}

/** Every tensor from the shard that the index names. Throws GVU_CHECKPOINT_INDEX with all that are elsewhere, or nowhere. */
function joinShards(
  index: string,
  weightMap: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, SafetensorsFile>,
): ReadonlyMap<string, SafetensorsEntry> {
  const tensors = new Map<string, SafetensorsEntry>();
  const problems: string[] = [];
  for (const [name, shard] of weightMap) {
    const entry = shards.get(shard)?.tensors.get(name);
    if (entry) tensors.set(name, entry);
    else problems.push(`tensor '${name}' is not in '${shard}'`);
  }
  for (const [shard, { tensors: present }] of shards)
    for (const name of present.keys()) {
      const listedIn = weightMap.get(name);
      if (listedIn === undefined) problems.push(`tensor '${name}' of '${shard}' is not in the index`);
      else if (listedIn !== shard) problems.push(`tensor '${name}' is in '${shard}' too, beside '${listedIn}'`);
    }
  if (problems.length === 0) return tensors;
  throw onnxErrors.error('GVU_CHECKPOINT_INDEX', `'${index}' and its shards disagree: ${listed(problems)}.`, {
    hint: 'Get index and shards from the same version of the checkpoint.',
    details: { index, problems },
  });
}

function missing(what: string, { present = [], cause }: { present?: readonly string[]; cause?: unknown } = {}) {
  return onnxErrors.error('GVU_CHECKPOINT_MISSING', what, {
    hint:
      present.length > 0
        ? `It has ${listed(present)}: open one of these by its path if it is safetensors; pickles must be converted.`
        : 'Check the path.',
    cause,
    details: { present },
  });
}
