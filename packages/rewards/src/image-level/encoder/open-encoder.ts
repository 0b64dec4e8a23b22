/**
 * An image-text model from a directory that the user supplies, as a function of pictures and one of texts. Weights stay in their files:
 * `model.safetensors` (or shards) of transformers, one file of open_clip, safetensors or what `torch.save` wrote; or the whole model is one
 * ONNX file (`onnx-encoder.ts`). No code in a file is run. One picture, one text a run: a program for each size of batch would hold the weights once more.
 */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import {
  checkpointWeights,
  checkWeights,
  createModules,
  type Modules,
  modelErrors,
  openTorch,
  type Pixels,
  readModelFile,
  readModelJson,
  weightsFingerprint,
} from '@gvu/models';
import {
  type Checkpoint,
  compile,
  createGraph,
  type FlatEntry,
  type Graph,
  input,
  l2Normalise,
  openCheckpoint,
  output,
  type Program,
  type Runtime,
  readTensors,
  resolveInside,
  type Target,
  type Tensor,
  type TensorData,
  toNumbers,
  weight,
} from '@gvu/onnx';
import { clipNormalisation, type EncoderConfig, encoderConfig, normalisationOf, openClipConfig } from './config.ts';
import { openOnnxTowers } from './onnx-encoder.ts';
import { fromOpenClip, type RenamedWeights } from './open-clip.ts';
import { type Fitting, preparePicture } from './prepare-picture.ts';
import { openTexts } from './texts.ts';
import { textTower, visionTower } from './towers.ts';

export interface OpenEncoderOptions {
  readonly runtime: Runtime;
  readonly fitting: Fitting;
  /** A file of the directory that has the weights, where it has several, or one of another name. */
  readonly weights?: string | undefined;
}

export interface Encoder {
  /** Changes with the weights. */
  readonly version: string;
  readonly config: EncoderConfig;
  /** exp(logit_scale), and SigLIP's logit_bias (otherwise 0). */
  readonly scale: number;
  readonly bias: number;
  /** [width] of each, of length 1. */
  images(pictures: readonly Pixels[], options: { readonly signal: AbortSignal }): Promise<readonly Float32Array[]>;
  texts(texts: readonly string[], options: { readonly signal: AbortSignal }): Promise<readonly Float32Array[]>;
}

/** Throws GVU_MODEL_FILE, _CONFIG, _TOKENIZER, _WEIGHTS, GVU_CONFIG_INVALID, and what opening weights throws. */
export async function openEncoder(folder: string, options: OpenEncoderOptions): Promise<Encoder> {
  const { runtime, fitting } = options;
  if (options.weights?.endsWith('.onnx')) return await openOnnxEncoder(folder, options.weights, options);
  const { config, weights, normalisation } = await openFiles(folder, options.weights);
  const [tokenise, scalars] = [await openTexts(folder, config), await readScalars(weights, config)];
  checkAll(weights, config);
  const version = await weightsFingerprint(weights.checkpoint.tensors.values(), [JSON.stringify(config)]);
  const target: Target = runtime.info().device === 'cuda' ? 'cuda' : 'cpu';
  const session = (tower: 'image' | 'text') =>
    runtime.cached(`encoder ${version} ${tower}`, () => encoderProgram(weights, { config, tower, target }));
  const { side } = config.vision;
  return {
    version,
    config,
    ...scalars,
    async images(pictures, { signal }) {
      const see = await session('image');
      return inTurn(pictures, async (picture) => {
        const data = preparePicture(picture, { fitting, side, normalisation });
        const pixels: TensorData = { dtype: 'float32', shape: [1, 3, side, side], data };
        return floats((await see.run<'embedding'>({ pixels }, { signal })).embedding);
      });
    },
    async texts(texts, { signal }) {
      const read = await session('text');
      return inTurn(texts, async (text) => {
        const { ids, end } = tokenise(text);
        const feeds = {
          ids: { dtype: 'int64', shape: [1, ids.length], data: ids },
          end: { dtype: 'int64', shape: [1], data: BigInt64Array.of(BigInt(end)) },
        } as const;
        return floats((await read.run<'embedding'>(feeds, { signal })).embedding);
      });
    },
  };
}

/** The same from one ONNX file of the directory. */
async function openOnnxEncoder(
  folder: string,
  file: string,
  { runtime, fitting }: OpenEncoderOptions,
): Promise<Encoder> {
  const { config, normalisation } = await openConfig(folder);
  const tokenise = await openTexts(folder, config);
  const { fingerprint, scale, bias, image, text } = await openOnnxTowers(await fileIn(folder, file), {
    runtime,
    config,
    tokenise,
  });
  const { side } = config.vision;
  return {
    version: `onnx ${fingerprint}`,
    config,
    scale,
    bias,
    images: (pictures, { signal }) =>
      inTurn(pictures, async (picture) =>
        unitLength(await image(preparePicture(picture, { fitting, side, normalisation }), signal)),
      ),
    texts: (texts, { signal }) => inTurn(texts, async (words) => unitLength(await text(tokenise(words), signal))),
  };
}

function unitLength(values: Float32Array): Float32Array {
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

/** Of transformers. */
async function openConfig(folder: string) {
  const config = encoderConfig(await readModelJson(folder, 'config.json'), 'config.json');
  const preparation = await readModelFile(folder, 'preprocessor_config.json', { optional: true });
  const normalisation = normalisationOf(
    preparation === undefined ? undefined : await readModelJson(folder, 'preprocessor_config.json'),
    config,
  );
  return { config, normalisation };
}

async function openFiles(folder: string, file: string | undefined) {
  const openClip = await readModelFile(folder, 'open_clip_config.json', { optional: true });
  const isOpenClip =
    openClip !== undefined && (await readModelFile(folder, 'config.json', { optional: true })) === undefined;
  const found = await openWeights(folder, file);
  if (isOpenClip) {
    const config = openClipConfig(await readModelJson(folder, 'open_clip_config.json'), 'open_clip_config.json');
    return { config, weights: await fromOpenClip(found), normalisation: clipNormalisation };
  }
  const { config, normalisation } = await openConfig(folder);
  const isForeign = found.tensors.has('visual.conv1.weight');
  const weights = isForeign ? await fromOpenClip(found) : { checkpoint: found, copies: new Map<string, TensorData>() };
  return { config, weights, normalisation };
}

/** A file by name, or what transformers would open. */
async function openWeights(folder: string, file: string | undefined): Promise<Checkpoint> {
  if (file === undefined) return openCheckpoint(folder);
  const path = await fileIn(folder, file);
  return file.endsWith('.safetensors') ? openCheckpoint(path) : openTorch(path);
}

async function fileIn(folder: string, file: string): Promise<string> {
  const path = await resolveInside(await realpath(folder), file);
  if (path !== undefined) return path;
  throw modelErrors.error('GVU_MODEL_FILE', `'${join(folder, file)}' cannot be read: there is no such file.`, {
    hint: "Correct the option 'weights'.",
  });
}

/** exp(logit_scale) and logit_bias. */
async function readScalars({ checkpoint }: RenamedWeights, { family }: EncoderConfig) {
  const names = family === 'siglip' ? ['logit_scale', 'logit_bias'] : ['logit_scale'];
  const entries = names.flatMap((name) => checkpoint.tensors.get(name) ?? []);
  const values = await readTensors(entries);
  const [scale, bias = 0] = names.map((name) => {
    const tensor = values.get(name);
    return tensor && toNumbers(tensor)[0];
  });
  if (scale !== undefined && entries.length === names.length) return { scale: Math.exp(scale), bias };
  throw modelErrors.error('GVU_MODEL_WEIGHTS', `The checkpoint lacks ${names.join(' or ')}.`, {
    hint: 'Get the weights of the whole model, not of one tower.',
  });
}

interface ProgramOptions {
  readonly config: EncoderConfig;
  readonly tower: 'image' | 'text';
  readonly target: Target;
}

/** `pixels` float32 [1, 3, side, side], or `ids` int64 [1, length] and `end` int64 [1], to `embedding` float32 [1, width]. */
function encoderProgram(weights: RenamedWeights, { config, tower, target }: ProgramOptions): Program {
  const graph = createGraph({ name: `${config.family} ${tower}`, target });
  const modules = createModules(graph, sourceOf(graph, weights));
  // The smallest number that PyTorch divides by.
  output('embedding', l2Normalise(embed(modules, { config, tower }), 1, 1e-12));
  return compile(graph);
}

function embed(modules: Modules, { config, tower }: Omit<ProgramOptions, 'target'>): Tensor {
  const { graph } = modules;
  const { text, vision } = config;
  if (tower === 'image')
    return visionTower(
      modules,
      config,
      input(graph, 'pixels', { dtype: 'float32', shape: [1, 3, vision.side, vision.side] }),
    );
  const ids = input(graph, 'ids', { dtype: 'int64', shape: [1, text.length] });
  return textTower(modules, config, { ids, end: input(graph, 'end', { dtype: 'int64', shape: [1] }) });
}

function sourceOf(graph: Graph, { checkpoint, copies }: RenamedWeights) {
  const inPlace = checkpointWeights(graph, checkpoint);
  return (name: string, shape: readonly number[]): Tensor => {
    const copy = copies.get(name);
    return copy ? weight(graph, name, copy) : inPlace(name, shape);
  };
}

/** Every tensor that either tower asks for, at once. */
function checkAll({ checkpoint, copies }: RenamedWeights, config: EncoderConfig): void {
  const asked: FlatEntry[] = [];
  for (const tower of ['image', 'text'] as const) {
    const graph = createGraph({ name: 'check' });
    const modules = createModules(graph, (name, shape) => {
      asked.push({ name, shape });
      return input(graph, name, { dtype: 'float32', shape });
    });
    embed(modules, { config, tower });
  }
  const missing = asked.filter(({ name, shape }) => copies.get(name)?.shape.join() !== shape.join());
  checkWeights(checkpoint, missing);
}

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

function floats({ data }: TensorData): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new TypeError('unreachable: the program gives float32');
}
