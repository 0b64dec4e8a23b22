/**
 * Adapters on disk as PEFT lays them out: a directory with `adapter_config.json` and `adapter_model.safetensors`. What PEFT
 * 0.17+ writes is read, and what is written loads there (checked by `tools/peft-check`). What PEFT can do and is not done here
 * (DoRA, rsLoRA, biases, ranks by pattern, modules saved whole, ...) is refused by name, see `peft-config.ts`.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { syncDirectory } from '@gvu/core';
import { isFloat } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import type { SafetensorsEntry } from '../safetensors/header.ts';
import { listed } from '../safetensors/listed.ts';
import { openSafetensors, readTensors } from '../safetensors/reader.ts';
import { writeSafetensors } from '../safetensors/writer.ts';
import { type TensorData, tensorData, toNumbers } from '../tensor-data.ts';
import { type LoraModule, type LoraOptions, loraLayout } from './lora.ts';
import { peftConfig, peftConfigOf } from './peft-config.ts';

const CONFIG = 'adapter_config.json';
const TENSORS = 'adapter_model.safetensors';
const PREFIX = 'base_model.model.';

/** An adapter on the host. */
export interface LoraAdapter {
  readonly options: LoraOptions;
  /** The tensors of `loraLayout`, by name. */
  readonly tensors: ReadonlyMap<string, TensorData>;
}

/**
 * Reads an adapter for a model with these modules; the tensors become float32. `baseCopies` are the names of base weights that
 * PEFT stores beside the adapters of embeddings and heads: they are not read, and ought to equal the model's own.
 *
 * Throws GVU_LORA_READ (no configuration there, or not JSON), GVU_CONFIG_INVALID with every option that is not supported,
 * GVU_LORA_TARGET, GVU_LORA_TENSORS with every tensor that is missing, unexpected or misshapen, or what `openSafetensors` throws.
 */
export async function readAdapter(
  directory: string,
  modules: readonly LoraModule[],
): Promise<LoraAdapter & { baseCopies: readonly string[] }> {
  const path = join(directory, CONFIG);
  const config = peftConfig.parse(await readJson(path), { source: `'${path}'` });
  const file = await openSafetensors(join(directory, TENSORS));
  const copies = new Set(modules.map(({ name }) => `${PREFIX}${name}.base_layer.weight`));
  const entries = [...file.tensors.values()].filter(({ name }) => !copies.has(name));

  const selections = [config.exclude_modules, config.layers_to_transform, config.layers_pattern];
  const isList = Array.isArray(config.target_modules) && selections.every((value) => (value ?? null) === null);
  const targets = isList ? config.target_modules : adaptedModules(entries);
  const options: LoraOptions = { rank: config.r, alpha: config.lora_alpha, targets: [targets].flat() };
  checkTensors(`'${file.file}'`, { modules, options, entries });

  const tensors = [...(await readTensors(entries))].map(
    ([name, tensor]) => [name.slice(PREFIX.length), tensor] as const,
  );
  return {
    options,
    tensors: new Map(tensors.map(([name, tensor]) => [name, toFloat32(tensor)])),
    baseCopies: [...file.tensors.keys()].filter((name) => copies.has(name)),
  };
}

export interface WriteAdapterOptions {
  /** Of the model, to check the tensors against. */
  readonly modules: readonly LoraModule[];
  /** What PEFT shall load underneath when it is asked to find that itself: a path, or the name of a repository. */
  readonly baseModel?: string;
  /** Makes PEFT wrap the model in the class that has `generate`, which asks for a causal language model underneath. */
  readonly taskType?: 'CAUSAL_LM';
}

/**
 * Writes an adapter. The directory appears whole or not at all; there must be none of that name, or an empty one. Throws
 * GVU_LORA_WRITE; GVU_LORA_OPTIONS, GVU_LORA_TARGET or GVU_LORA_TENSORS when the adapter is not one of these modules.
 */
export async function writeAdapter(
  directory: string,
  { options, tensors }: LoraAdapter,
  { modules, baseModel, taskType }: WriteAdapterOptions,
): Promise<void> {
  const named = new Map([...tensors].map(([name, tensor]) => [`${PREFIX}${name}`, tensor]));
  const entries = [...named].map(([name, { dtype, shape }]) => ({ name, dtype, fileDType: dtype, shape }));
  checkTensors('The adapter', { modules, options, entries });

  const target = resolve(directory);
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await mkdir(temporary);
    {
      await using config = await open(join(temporary, CONFIG), 'wx');
      await config.writeFile(`${JSON.stringify(peftConfigOf(options, { baseModel, taskType }), null, 2)}\n`);
      await config.sync();
    }
    // Flushes the entries of the directory too.
    await writeSafetensors(join(temporary, TENSORS), named, { format: 'pt' });
    await rename(temporary, target);
    await syncDirectory(dirname(target));
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw onnxErrors.error('GVU_LORA_WRITE', `The adapter '${directory}' cannot be written: ${reason(error)}.`, {
      hint: 'Give a name that is not taken, in a directory that exists, is writable and has room.',
      cause: error,
      details: { directory },
    });
  }
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw onnxErrors.error('GVU_LORA_READ', `'${path}' cannot be read: ${reason(error)}.`, {
      hint: 'Give the directory that PEFT saved: it holds adapter_config.json and adapter_model.safetensors.',
      cause: error,
    });
  }
}

type TensorEntry = Pick<SafetensorsEntry, 'name' | 'dtype' | 'shape'> & { readonly fileDType: string };

/** The whole names of the modules that have a tensor, for when the configuration names them by a pattern. */
function adaptedModules(entries: readonly TensorEntry[]): readonly string[] {
  const names = entries.map(({ name }) => name.replace(/\.lora_(embedding_)?[AB](\.weight)?$/, ''));
  return [...new Set(names.map((name) => (name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name)))];
}

function checkTensors(
  what: string,
  {
    modules,
    options,
    entries,
  }: { modules: readonly LoraModule[]; options: LoraOptions; entries: readonly TensorEntry[] },
): void {
  const layout = new Map(loraLayout(modules, options).map(({ name, shape }) => [`${PREFIX}${name}`, shape]));
  const present = new Set(entries.map(({ name }) => name));
  const problems = [
    ...[...layout.keys()].filter((name) => !present.has(name)).map((name) => `'${name}' is missing`),
    ...entries.flatMap(({ name, dtype, fileDType, shape }) => {
      const expected = layout.get(name);
      if (!expected) return [`'${name}' is not expected`];
      if (shape.join() !== expected.join()) return [`'${name}' is [${shape.join(', ')}], not [${expected.join(', ')}]`];
      return dtype && isFloat(dtype) ? [] : [`'${name}' is ${fileDType}, which is not floating point`];
    }),
  ];
  if (problems.length > 0)
    throw onnxErrors.error('GVU_LORA_TENSORS', `${what} does not fit the model: ${listed(problems)}.`, {
      hint: 'It belongs to another model, was cut short, or holds more than low-rank matrices.',
      details: { problems },
    });
}

function toFloat32(tensor: TensorData): TensorData {
  return tensor.dtype === 'float32' ? tensor : tensorData('float32', tensor.shape, toNumbers(tensor));
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
