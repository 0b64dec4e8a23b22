/**
 * Images in and out of a Janus model: drawn tokens to pictures, and pictures to the features that the language model reads. One
 * picture a run: a program for each size of batch would hold the weights of its network once more.
 */
import { checkpointWeights, createModules, type ImageCodec, type Modules, modelErrors } from '@gvu/models';
import {
  add,
  cast,
  clip,
  compile,
  constant,
  createGraph,
  div,
  type Graph,
  input,
  mul,
  output,
  type Program,
  type Runtime,
  sub,
  type Target,
  type Tensor,
  type TensorData,
  transpose,
} from '@gvu/onnx';
import { drawnSide } from '../checkpoint/config.ts';
import type { JanusCheckpoint } from '../checkpoint/open.ts';
import type { Preprocessing } from '../checkpoint/preprocessing.ts';
import { fitImage } from './fit-image.ts';
import { alignFeatures, visionFeatures } from './siglip.ts';
import { decodeCodes, tokenCodes } from './vq-decoder.ts';

export interface ImageCodecOptions {
  readonly janus: JanusCheckpoint;
  readonly preprocessing: Preprocessing;
  readonly runtime: Runtime;
  readonly target: Target;
  /** Tells the weights apart from others in the same runtime. */
  readonly key: string;
}

export function createImageCodec(options: ImageCodecOptions): Required<ImageCodec> {
  const { janus, preprocessing, runtime, key } = options;
  const { vision, vq, decoder } = janus.config;
  const { imageSide } = vision;
  const side = drawnSide(vq);
  const decisions = vq.gridSide ** 2;
  return {
    async decode(drawings, { signal } = {}) {
      for (const { tokens } of drawings) checkTokens(tokens, { count: decisions, codes: vq.codes });
      return inTurn(drawings, async ({ tokens }) => {
        const session = await runtime.cached(`${key} decode`, () => decodeProgram(options));
        const data = BigInt64Array.from(tokens, BigInt);
        const feeds = { tokens: { dtype: 'int64', shape: [1, decisions], data } } as const;
        const { pixels } = await session.run<'pixels'>(feeds, { signal });
        return { width: side, height: side, data: bytesOf(pixels) };
      });
    },
    async see(images, { signal } = {}) {
      const squares = images.map((image) => fitImage(image, { ...preprocessing, side: imageSide }));
      return inTurn(squares, async ({ data }) => {
        const session = await runtime.cached(`${key} see`, () => seeProgram(options));
        const feeds = { pixels: { dtype: 'uint8', shape: [1, imageSide, imageSide, 3], data } } as const;
        const { features } = await session.run<'features'>(feeds, { signal });
        const values = floatsOf(features);
        return { count: values.length / decoder.width, values };
      });
    },
  };
}

/** `tokens` int64 [1, grid²] to `pixels` uint8 [1, side, side, 3]. */
export function decodeProgram({ janus, target }: Pick<ImageCodecOptions, 'janus' | 'target'>): Program {
  const { vq } = janus.config;
  const { graph, modules } = begin('decode', { janus, target });
  const tokens = input(graph, 'tokens', { dtype: 'int64', shape: [1, vq.gridSide ** 2] });
  output('pixels', toBytes(decodeCodes(modules, vq, tokenCodes(modules, vq, tokens))));
  return compile(graph);
}

/** Bytes [B, H, W, 3] of pixels [B, 3, H, W] in about [-1, 1]: cut off, not rounded, as the release does it. */
function toBytes(pixels: Tensor): Tensor {
  const scaled = clip(mul(mul(add(pixels, 1), 0.5), 255), 0, 255);
  return cast(transpose(scaled, [0, 2, 3, 1]), 'uint8');
}

/** `pixels` uint8 [1, side, side, 3] to `features` float32 [N, width] for the language model. */
export function seeProgram({
  janus,
  preprocessing,
  target,
}: Pick<ImageCodecOptions, 'janus' | 'preprocessing' | 'target'>): Program {
  const { vision, decoder } = janus.config;
  const { graph, modules } = begin('see', { janus, target });
  const pixels = input(graph, 'pixels', { dtype: 'uint8', shape: [1, vision.imageSide, vision.imageSide, 3] });
  const features = visionFeatures(modules, vision, normalised(pixels, preprocessing));
  output('features', alignFeatures(modules, features, { layers: vision.alignerLayers, decoderWidth: decoder.width }));
  return compile(graph);
}

/** What the tower takes [B, 3, H, W], of bytes [B, H, W, 3]. */
function normalised(pixels: Tensor, { scale, mean, deviation }: Preprocessing): Tensor {
  const { graph } = pixels.block;
  const channels = (values: readonly number[]) => constant(graph, 'float32', [3, 1, 1], values);
  const scaled = mul(cast(transpose(pixels, [0, 3, 1, 2]), 'float32'), scale);
  return div(sub(scaled, channels(mean)), channels(deviation));
}

function begin(
  name: string,
  { janus, target }: Pick<ImageCodecOptions, 'janus' | 'target'>,
): { graph: Graph; modules: Modules } {
  const graph = createGraph({ name: `janus ${name}`, target });
  return { graph, modules: createModules(graph, checkpointWeights(graph, janus.checkpoint)) };
}

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

function checkTokens(tokens: Int32Array, { count, codes }: { count: number; codes: number }): void {
  const wrong = tokens.find((token) => !(token >= 0 && token < codes));
  if (tokens.length === count && wrong === undefined) return;
  throw modelErrors.error(
    'GVU_MODEL_IMAGE',
    wrong === undefined
      ? `The image has ${tokens.length} tokens, not ${count}.`
      : `The image has the token ${wrong}; they are 0 to ${codes - 1}.`,
    { hint: 'Give the tokens of a drawing that this model has made.' },
  );
}

function bytesOf({ data }: TensorData): Uint8Array {
  if (data instanceof Uint8Array) return data;
  throw new TypeError('unreachable: the program gives bytes');
}

function floatsOf({ data }: TensorData): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new TypeError('unreachable: the program gives float32');
}
