/**
 * A shapes model on disk: `config.json` with its sizes and its world, and `model.safetensors` in half precision. Opened, the
 * weights stay in the file; graphs compute with them in float32.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkpointWeights, checkWeights } from '@gvu/models';
import {
  openCheckpoint,
  type Runtime,
  type TensorData,
  toFloat16,
  toNumbers,
  weight,
  writeSafetensors,
} from '@gvu/onnx';
import { shapesErrors } from '../errors.ts';
import { modelParameters, type ShapesConfig, shapesConfig } from './config.ts';
import type { WeightSource } from './programs.ts';
import { ShapesModel } from './shapes-model.ts';

const modelType = 'gvu-shapes';
export const configFile = 'config.json';
export const weightsFile = 'model.safetensors';

/** Tensors of a model by name, float32. */
export type ModelValues = ReadonlyMap<string, TensorData>;

/** Writes a model's tensors, and no others, with its configuration. Throws GVU_SHAPES_MODEL when one is missing. */
export async function writeModel(folder: string, config: ShapesConfig, values: ModelValues): Promise<void> {
  await mkdir(folder, { recursive: true });
  const tensors = modelParameters(config).map(({ name, shape }): [string, TensorData] => {
    const tensor = values.get(name);
    if (!tensor) throw shapesErrors.error('GVU_SHAPES_MODEL', `The model has no tensor '${name}' to write.`);
    return [name, { dtype: 'float16', shape, data: Uint16Array.from(toNumbers(tensor), toFloat16) }];
  });
  await writeSafetensors(join(folder, weightsFile), new Map(tensors), { format: 'pt' });
  await writeFile(join(folder, configFile), `${JSON.stringify({ model_type: modelType, ...config }, undefined, 2)}\n`);
}

/**
 * Opens a model's directory. `name` tells its weights apart from others in the same runtime; by default they are known by their folder.
 * Throws GVU_SHAPES_MODEL when it holds none, GVU_CONFIG_INVALID for a wrong configuration, GVU_MODEL_WEIGHTS for tensors that do not
 * fit it, and what `openCheckpoint` throws.
 */
export async function openModel(runtime: Runtime, folder: string, { name = folder } = {}): Promise<ShapesModel> {
  const config = await readModelConfig(folder);
  const checkpoint = await openCheckpoint(folder);
  checkWeights(checkpoint, modelParameters(config));
  const weights: WeightSource = (graph) => checkpointWeights(graph, checkpoint);
  return new ShapesModel(runtime, { config, weights, name });
}

/** The configuration in a model's directory. Throws GVU_SHAPES_MODEL, GVU_CONFIG_INVALID. */
export async function readModelConfig(folder: string): Promise<ShapesConfig> {
  const file = join(folder, configFile);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw shapesErrors.error('GVU_SHAPES_MODEL', `'${file}' cannot be read.`, {
      hint: 'Name the directory of a model, made by `gvu pretrain`.',
      cause,
    });
  });
  return shapesConfig(parseConfig(text, file));
}

/** A model whose tensors are in memory. */
export function modelOf(
  runtime: Runtime,
  { config, values, name }: { config: ShapesConfig; values: ModelValues; name: string },
): ShapesModel {
  const weights: WeightSource = (graph) => (tensor) => {
    const data = values.get(tensor);
    if (!data) throw shapesErrors.error('GVU_SHAPES_MODEL', `The model has no tensor '${tensor}'.`);
    return weight(graph, tensor, data);
  };
  return new ShapesModel(runtime, { config, weights, name });
}

function parseConfig(text: string, file: string): unknown {
  const refuse = (problem: string, cause?: unknown) =>
    shapesErrors.error('GVU_SHAPES_MODEL', `'${file}' ${problem}.`, {
      hint: 'Name the directory of a model, made by `gvu pretrain`.',
      cause,
    });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw refuse('is not JSON', error);
  }
  if (typeof json !== 'object' || json === null || !('model_type' in json) || json.model_type !== modelType) {
    throw refuse(`does not say "model_type": "${modelType}"`);
  }
  const { model_type: _, ...config } = json;
  return config;
}
