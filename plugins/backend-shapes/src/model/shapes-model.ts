/**
 * A shapes model that is ready to work: it draws prompts, decodes and encodes images, says how probable texts are, and answers
 * questions. Programs are made once for each size of batch, and cached by the runtime.
 */
import { fillNormal, type RandomAddress } from '@gvu/core';
import { modelErrors, type UseOptions } from '@gvu/models';
import {
  exactSampler,
  type LoraOptions,
  type Program,
  type Runtime,
  type SamplerOptions,
  sizeOf,
  type TensorData,
  type TensorDataOf,
} from '@gvu/onnx';
import { imageSide, imageSize } from '../world/index.ts';
import { imageTokens, patchSize, type ShapesConfig, type TokenIds, tokenIds } from './config.ts';
import {
  answerProgram,
  decodeProgram,
  drawProgram,
  encodeProgram,
  type ProgramOptions,
  readProgram,
  type WeightSource,
} from './programs.ts';
import { drawingSequences, questionSequences, readingSequences, type Text } from './sequences.ts';

export interface ShapesModelOptions {
  readonly config: ShapesConfig;
  readonly weights: WeightSource;
  /** Tells the weights apart from others in the same runtime. */
  readonly name: string;
}

/** One image as 16 codes. */
export type Codes = readonly number[];

export interface DrawnImage {
  readonly codes: Codes;
  /** Of each code, in nats: under the policy, and under what it was drawn from. */
  readonly logProbs: readonly number[];
  readonly samplerLogProbs: readonly number[];
}

export class ShapesModel {
  readonly config: ShapesConfig;
  readonly ids: TokenIds;
  readonly weights: WeightSource;
  readonly #runtime: Runtime;
  readonly #options: ShapesModelOptions;

  constructor(runtime: Runtime, options: ShapesModelOptions) {
    this.config = options.config;
    this.ids = tokenIds(options.config);
    this.weights = options.weights;
    this.#runtime = runtime;
    this.#options = options;
  }

  /** The codes of images, bytes [3, 64, 64] each. */
  async encode(images: readonly Uint8Array[], { signal }: Pick<UseOptions, 'signal'> = {}): Promise<Codes[]> {
    const rows = images.length;
    const session = await this.#session('encode', { rows }, encodeProgram);
    const { codes } = await session.run<'codes'>({ pixels: joinImages(images) }, { signal });
    return inRows(codes, imageTokens);
  }

  /**
   * Images of codes: bytes [3, 64, 64] each. `noise` has an address for each image, of which the values are used that drawing does not
   * use: one address may serve both.
   */
  async decode(
    codes: readonly Codes[],
    noise: readonly RandomAddress[],
    { signal }: Pick<UseOptions, 'signal'> = {},
  ): Promise<Uint8Array[]> {
    const rows = codes.length;
    const session = await this.#session('decode', { rows }, decodeProgram);
    const normal = new Float32Array(rows * imageTokens * patchSize);
    const each = imageTokens * patchSize;
    noise.forEach((address, row) => {
      fillNormal(normal.subarray(row * each, (row + 1) * each), address, { offset: imageTokens });
    });
    const { pixels } = await session.run<'pixels'>(
      {
        codes: { dtype: 'int64', shape: [rows, imageTokens], data: BigInt64Array.from(codes.flat(), BigInt) },
        noise: { dtype: 'float32', shape: [rows * imageTokens, patchSize], data: normal },
      },
      { signal },
    );
    return codes.map((_, row) => Uint8Array.from(bytesOf(pixels).subarray(row * imageSize, (row + 1) * imageSize)));
  }

  /** Draws one image for each prompt (words, see `ids.words`), each from its own 16 uniform numbers. */
  async draw(
    prompts: readonly (readonly number[])[],
    uniform: readonly Float32Array[],
    options: UseOptions & { sampler?: SamplerOptions; promptLength?: number } = {},
  ): Promise<DrawnImage[]> {
    const { sampler = exactSampler, promptLength = 22, adapter, signal } = options;
    const rows = prompts.length;
    const session = await this.#session('draw', { rows, adapter, promptLength, sampler }, drawProgram);
    const numbers = new Float32Array(imageTokens * rows);
    uniform.forEach((values, row) => {
      values.forEach((value, step) => {
        numbers[step * rows + row] = value;
      });
    });
    const drawn = await session.run<'codes' | 'policy' | 'sampler'>(
      {
        ...drawingSequences(
          this.ids,
          prompts.map((prompt) => ({ prompt })),
          { promptLength },
        ),
        uniform: { dtype: 'float32', shape: [imageTokens, rows, 1], data: numbers },
      },
      { variables: adapter?.variables, signal },
    );
    const [policyOf, samplerOf] = [logProbRows(drawn.policy, imageTokens), logProbRows(drawn.sampler, imageTokens)];
    return inRows(drawn.codes, imageTokens).map((codes, i) => ({
      codes,
      logProbs: policyOf[i] ?? [],
      samplerLogProbs: samplerOf[i] ?? [],
    }));
  }

  /**
   * For each image and text the log-probabilities of the answer's words, in nats, and of the end after it. Sequences are padded to
   * `textLength` words, by default to the longest text, which then decides which program runs.
   */
  async read(
    pairs: readonly (Text & { readonly codes: Codes })[],
    options: UseOptions & { textLength?: number } = {},
  ): Promise<number[][]> {
    const longest = Math.max(...pairs.map(({ instruction, answer }) => instruction.length + answer.length));
    const { textLength = Math.ceil(longest / 4) * 4, adapter, signal } = options;
    const session = await this.#session('read', { rows: pairs.length, adapter, textLength }, readProgram);
    const rows = pairs.map(({ codes, ...text }) => ({ codes, texts: [text] }));
    const { logProbs } = await session.run<'logProbs'>(
      { ...readingSequences(this.ids, rows, { textLength }) },
      { variables: adapter?.variables, signal },
    );
    return logProbRows(logProbs, textLength).map((row, i) => {
      const { instruction = [], answer = [] } = pairs[i] ?? {};
      return row.slice(instruction.length - 1, instruction.length + answer.length);
    });
  }

  /** The likeliest words after each question, up to the end that the model sets or `steps` of them. */
  async answer(
    questions: readonly { readonly codes: Codes; readonly question: readonly number[] }[],
    { questionLength, steps, adapter, signal }: UseOptions & { questionLength: number; steps: number },
  ): Promise<number[][]> {
    const settings = { rows: questions.length, adapter, questionLength, steps };
    const session = await this.#session('answer', settings, answerProgram);
    const { words, policy } = await session.run<'words' | 'policy'>(
      { ...questionSequences(this.ids, questions, { questionLength }) },
      { variables: adapter?.variables, signal },
    );
    requireNumbers(policy);
    return inRows(words, steps).map((row) => {
      const end = row.indexOf(this.ids.words.end);
      return end < 0 ? row : row.slice(0, end);
    });
  }

  /** The session of a program, one for each of its settings. */
  #session<Settings extends { readonly rows: number; readonly adapter?: UseOptions['adapter'] }>(
    name: string,
    { adapter, ...settings }: Settings,
    build: (
      options: ProgramOptions & { adapter?: LoraOptions | undefined },
      settings: Omit<Settings, 'adapter'>,
    ) => Program,
  ) {
    const key = JSON.stringify([this.#options.name, name, settings, adapter?.options]);
    const options = { ...this.#options, rows: settings.rows, adapter: adapter?.options };
    return this.#runtime.cached(key, () => build(options, settings));
  }
}

/** Images as one tensor uint8 [B, 3, 64, 64]. */
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

function logProbRows(logProbs: TensorData, length: number): number[][] {
  requireNumbers(logProbs);
  return inRows(logProbs, length);
}

/** Throws GVU_MODEL_NAN: the likeliest of NaN is token 0, and no number behind it would say so. */
function requireNumbers({ data }: TensorData): void {
  if (!Array.from<number | bigint, number>(data, Number).some(Number.isNaN)) return;
  throw modelErrors.error('GVU_MODEL_NAN', 'The shapes model computes NaN.', {
    hint: 'Its weights or its adapter are broken: get them again, or take an earlier checkpoint.',
  });
}

function bytesOf({ data }: TensorData): Uint8Array {
  if (data instanceof Uint8Array) return data;
  throw new TypeError('unreachable: the program gives bytes');
}
