/** What an X-Omni model occupies, from its `config.json`; the weights are looked at where they are there. */
import { isGvuError } from '@gvu/core';
import {
  absentWeights,
  autoregressiveFootprint,
  checkWeights,
  type Footprint,
  type FootprintDeps,
  oncePerGraph,
  readModelJson,
  savedDType,
} from '@gvu/models';
import { type Checkpoint, openCheckpoint, sizeOf } from '@gvu/onnx';
import { defaultTargets } from './backend.ts';
import { xOmniConfig } from './config.ts';
import { drawnGrid } from './grid.ts';
import { autoregressiveModel } from './model.ts';
import type { XOmniOptions } from './options.ts';
import { xOmniParameters } from './routes.ts';
import { samplers } from './samplers.ts';
import { encodeProgram } from './siglip-vq/programs.ts';
import { openSiglipVq } from './siglip-vq/weights.ts';

/** The template and the question that stand around an image. */
const readingLength = 48;

/**
 * The image tokenizer is counted where its weights are there and drawings are read through pixels, the pixel decoder never: it is the
 * user's own. Throws what `createXOmniBackend` throws, but for what only the weights or the tokenizer show.
 */
export async function createXOmniFootprint(options: XOmniOptions, { target }: FootprintDeps): Promise<Footprint> {
  const { model: directory, dtype, sampler, guidance, imageSize, decoder } = options;
  const json = await readModelJson(directory, 'config.json');
  const config = xOmniConfig(json);
  const parameters = xOmniParameters(config);
  const found = await weightsIn(directory);
  const absent = found ? undefined : await absentWeights(parameters, { dtype: savedDType(json) });
  const checkpoint: Checkpoint = found ?? absent ?? { files: [], tensors: new Map() };
  checkWeights(checkpoint, parameters);
  const siglip = decoder !== undefined && config.encoder ? await openSiglipVq(directory, config.encoder) : undefined;
  const codec = siglip && { config: siglip.config, source: oncePerGraph(siglip.source), target };
  const patch = siglip?.config.vision.patch ?? config.encoder?.sizes.patch ?? 16;
  const grid = drawnGrid(imageSize, { patch, maxTokens: config.maxTokens });
  const [width, height] = [grid.columns * patch, grid.rows * patch];
  const model = autoregressiveModel(config, checkpoint, { target, dtype });
  return autoregressiveFootprint(
    {
      parameters: parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
      defaultTargets,
      sampler: samplers[sampler],
      model: { ...model, weights: oncePerGraph(model.weights) },
      image: { rows: grid.rows, columns: grid.columns, width, height },
      guidance: guidance === 1 ? undefined : { scale: guidance, formula: 'u + w(c - u)' },
      embeddings: undefined,
    },
    {
      hasWeights: found !== undefined,
      shown: { count: grid.rows * grid.columns, features: false },
      readingLength,
      pictures: () => (codec ? [encodeProgram(codec, { width, height })] : []),
      dispose: async () => absent?.[Symbol.asyncDispose](),
    },
  );
}

async function weightsIn(directory: string): Promise<Checkpoint | undefined> {
  try {
    return await openCheckpoint(directory);
  } catch (error) {
    if (isGvuError(error, 'GVU_CHECKPOINT_MISSING')) return undefined;
    throw error;
  }
}
