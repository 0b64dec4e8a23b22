/**
 * A shapes model that is ready to work: it draws prompts, decodes and encodes images, and says how probable texts are. Programs are
 * made once for each size of batch, and cached by the runtime.
 */
import { fillNormal, type RandomAddress } from '@gvu/core';
import { exactSampler, type Runtime, type SamplerOptions, sizeOf, type TensorData, type TensorDataOf } from '@gvu/onnx';
import { imageSide, imageSize } from '../world/index.ts';
import { imageTokens, patchSize, type ShapesConfig, type TokenIds, tokenIds } from './config.ts';
import { decodeProgram, drawProgram, encodeProgram, readProgram, type WeightSource } from './programs.ts';
import { drawingSequences, readingSequences, type Text } from './sequences.ts';

export interface ShapesModelOptions {
  readonly config: ShapesConfig;
  readonly weights: WeightSource;
  /** Tells the weights apart from others in the same runtime. */
  readonly name: string;
}

/** One image as 64 codes. */
export type Codes = readonly number[];

export interface DrawnImage {
  readonly codes: Codes;
  /** Of each code, in nats, under the policy. */
  readonly logProbs: readonly number[];
}

export class ShapesModel {
  readonly config: ShapesConfig;
  readonly ids: TokenIds;
  readonly #runtime: Runtime;
  readonly #options: ShapesModelOptions;

  constructor(runtime: Runtime, options: ShapesModelOptions) {
    this.config = options.config;
    this.ids = tokenIds(options.config);
    this.#runtime = runtime;
    this.#options = options;
  }

  /** The codes of images, bytes [3, 32, 32] each. */
  async encode(images: readonly Uint8Array[]): Promise<Codes[]> {
    const rows = images.length;
    const session = await this.#session(`encode ${rows}`, () => encodeProgram({ ...this.#options, rows }));
    const { codes } = await session.run<'codes'>({ pixels: joinImages(images) });
    return inRows(codes, imageTokens);
  }

  /** Images of codes: bytes [3, 32, 32] each. `noise` has an address for each image. */
  async decode(codes: readonly Codes[], noise: readonly RandomAddress[]): Promise<Uint8Array[]> {
    const rows = codes.length;
    const session = await this.#session(`decode ${rows}`, () => decodeProgram({ ...this.#options, rows }));
    const normal = new Float32Array(rows * imageTokens * patchSize);
    const each = imageTokens * patchSize;
    noise.forEach((address, row) => {
      fillNormal(normal.subarray(row * each, (row + 1) * each), address);
    });
    const { pixels } = await session.run<'pixels'>({
      codes: { dtype: 'int64', shape: [rows, imageTokens], data: BigInt64Array.from(codes.flat(), BigInt) },
      noise: { dtype: 'float32', shape: [rows * imageTokens, patchSize], data: normal },
    });
    return codes.map((_, row) => Uint8Array.from(bytesOf(pixels).subarray(row * imageSize, (row + 1) * imageSize)));
  }

  /** Draws one image for each prompt (words, see `ids.words`), each from its own 64 uniform numbers. */
  async draw(
    prompts: readonly (readonly number[])[],
    uniform: readonly Float32Array[],
    { sampler = exactSampler, promptLength = 22 }: { sampler?: SamplerOptions; promptLength?: number } = {},
  ): Promise<DrawnImage[]> {
    const rows = prompts.length;
    const key = `draw ${rows} ${promptLength} ${JSON.stringify(sampler)}`;
    const session = await this.#session(key, () => drawProgram({ ...this.#options, rows }, { promptLength, sampler }));
    const numbers = new Float32Array(imageTokens * rows);
    uniform.forEach((values, row) => {
      values.forEach((value, step) => {
        numbers[step * rows + row] = value;
      });
    });
    const { codes, policy } = await session.run<'codes' | 'policy'>(
      {
        ...drawingSequences(
          this.ids,
          prompts.map((prompt) => ({ prompt })),
          { promptLength },
        ),
        uniform: { dtype: 'float32', shape: [imageTokens, rows, 1], data: numbers },
      },
      { fetch: ['codes', 'policy'] },
    );
    const logProbs = inRows(policy, imageTokens);
    return inRows(codes, imageTokens).map((row, i) => ({ codes: row, logProbs: logProbs[i] ?? [] }));
  }

  /** For each image and text the log-probabilities of the answer's words, in nats, and of the end after it. */
  async read(pairs: readonly (Text & { readonly codes: Codes })[]): Promise<number[][]> {
    const textLength = Math.max(...pairs.map(({ instruction, answer }) => instruction.length + answer.length));
    const padded = Math.ceil(textLength / 4) * 4;
    const options = { ...this.#options, rows: pairs.length };
    const session = await this.#session(`read ${pairs.length} ${padded}`, () =>
      readProgram(options, { textLength: padded }),
    );
    const rows = pairs.map(({ codes, ...text }) => ({ codes, texts: [text] }));
    const { logProbs } = await session.run<'logProbs'>({ ...readingSequences(this.ids, rows, { textLength: padded }) });
    return inRows(logProbs, padded).map((row, i) => {
      const { instruction = [], answer = [] } = pairs[i] ?? {};
      return row.slice(instruction.length - 1, instruction.length + answer.length);
    });
  }

  #session(key: string, build: () => ReturnType<typeof encodeProgram>) {
    return this.#runtime.cached(`${this.#options.name} ${key}`, build);
  }
}

/** Images as one tensor uint8 [B, 3, 32, 32]. */
export function joinImages(images: readonly Uint8Array[]): TensorDataOf<'uint8'> {
  const shape = [images.length, 3, imageSide, imageSide];
  const data = new Uint8Array(sizeOf(shape));
  images.forEach((image, row) => {
    data.set(image, row * imageSize);
  });
  return { dtype: 'uint8', shape, data };
}

function inRows({ data }: TensorData, length: number): number[][] {
  return Array.from({ length: data.length / length }, (_, row) =>
    Array.from<number | bigint, number>(data.subarray(row * length, (row + 1) * length), Number),
  );
}

function bytesOf({ data }: TensorData): Uint8Array {
  if (data instanceof Uint8Array) return data;
  throw new TypeError('unreachable: the program gives bytes');
}
