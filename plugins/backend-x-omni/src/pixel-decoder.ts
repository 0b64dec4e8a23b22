/**
 * From image tokens to pixels. X-Omni's own decoder is a FLUX transformer of 12 billion parameters, which is not part of this package:
 * any ONNX model that maps the tokenizer's semantic latents to a picture can stand in its place.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fillNormal, isGvuError } from '@gvu/core';
import type { ImageCodec, Pixels } from '@gvu/models';
import {
  compile,
  createGraph,
  importModel,
  input,
  output,
  type Program,
  type Runtime,
  readModel,
  sizeOf,
  type TensorData,
  tensorData,
  toNumbers,
} from '@gvu/onnx';
import { xOmniErrors } from './errors.ts';
import { type CodecModel, latentsOf } from './siglip-vq/programs.ts';

export interface PixelDecoder {
  /** Changes when it would give other pictures. */
  readonly version: string;
  /** Of its pictures, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly decode: ImageCodec['decode'];
}

export interface OnnxDecoderOptions {
  /** The model's file; its weights may lie in files beside it. */
  readonly path: string;
  readonly codec: CodecModel;
  readonly grid: { readonly rows: number; readonly columns: number };
  readonly runtime: Runtime;
}

/** Opens an ONNX model as a decoder. Throws GVU_XOMNI_DECODER, and what `importModel` throws. */
export async function openOnnxDecoder({ path, codec, grid, runtime }: OnnxDecoderOptions): Promise<PixelDecoder> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw decoderFault(path, `it cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  });
  const { program, noiseShape } = decodeProgram(bytes, { path, codec, grid });
  const [, , height = 0, width = 0] = program.outputs[0]?.shape ?? [];
  const version = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  const key = `x-omni decode ${path} ${version} ${grid.rows} ${grid.columns}`;
  return {
    version,
    width,
    height,
    async decode(drawings, { signal } = {}) {
      const session = await runtime.cached(key, () => program);
      const pictures: Pixels[] = [];
      for (const { tokens, randomness } of drawings) {
        const feeds: Record<string, TensorData> = {
          codes: tensorData('int64', [1, grid.rows, grid.columns], Array.from(tokens)),
        };
        if (noiseShape) {
          const data = new Float32Array(sizeOf(noiseShape));
          fillNormal(data, randomness);
          feeds.noise = { dtype: 'float32', shape: noiseShape, data };
        }
        const { pixels } = await session.run<'pixels'>(feeds, { signal });
        pictures.push({ width, height, data: bytesOf(toNumbers(pixels), width * height) });
      }
      return pictures;
    },
  };
}

/** `codes` int64 [1, h, w], and `noise`, to `pixels` float32 [1, 3, H, W]. */
function decodeProgram(
  bytes: Uint8Array,
  { path, codec, grid }: Pick<OnnxDecoderOptions, 'path' | 'codec' | 'grid'>,
): { program: Program; noiseShape: readonly number[] | undefined } {
  const { inputs, outputs } = readModel(bytes);
  const names = inputs.map(({ name }) => name);
  const noise = inputs.find(({ name }) => name === 'noise');
  const noiseShape = noise?.shape?.filter((length) => typeof length === 'number');
  if (!names.includes('semantic') || names.some((name) => name !== 'semantic' && name !== 'noise'))
    throw decoderFault(path, `its inputs are ${names.join(', ') || 'none'}`);
  if (!outputs.some(({ name }) => name === 'pixels'))
    throw decoderFault(path, `its outputs are ${outputs.map(({ name }) => name).join(', ') || 'none'}`);
  if (noise && noiseShape?.length !== noise.shape?.length)
    throw decoderFault(path, `the shape of its noise is [${noise.shape?.join(', ') ?? '?'}], not all numbers`);
  const graph = createGraph({ name: 'x-omni decode', target: codec.target });
  const semantic = latentsOf(graph, codec, grid);
  const fed = noiseShape ? { noise: input(graph, 'noise', { dtype: 'float32', shape: noiseShape }) } : {};
  try {
    const { pixels } = importModel(graph, bytes, { inputs: { semantic, ...fed }, folder: dirname(path) });
    const [batch, channels, ...size] = pixels?.shape ?? [];
    if (pixels?.dtype !== 'float32' || batch !== 1 || channels !== 3 || size.length !== 2)
      throw decoderFault(path, `its pixels are ${pixels?.dtype}[${pixels?.shape.join(', ')}]`);
    output('pixels', pixels);
    return { program: compile(graph), noiseShape };
  } catch (cause) {
    if (isGvuError(cause)) throw cause;
    throw decoderFault(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** Channels [3, H, W] from -1 to 1 as bytes with the channels of a pixel adjacent. */
function bytesOf(values: readonly number[], count: number): Uint8Array {
  return Uint8Array.from({ length: 3 * count }, (_, i) => {
    const value = values[(i % 3) * count + Math.floor(i / 3)] ?? 0;
    return Math.min(Math.max(Math.round((value + 1) * 127.5), 0), 255);
  });
}

function decoderFault(path: string, why: string, cause?: unknown): Error {
  return xOmniErrors.error('GVU_XOMNI_DECODER', `The image decoder '${path}' cannot be used: ${why}.`, {
    hint: 'It must map `semantic` [1, C, h, w], and `noise` if it wants some, to `pixels` float32 [1, 3, H, W].',
    cause,
  });
}
