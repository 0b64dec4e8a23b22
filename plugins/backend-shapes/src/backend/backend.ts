/**
 * The shapes model as a backend of GvU: whole batches of requests in, texts and pixels checked, rows gathered into batches of a few
 * fixed sizes. Prompts and texts are padded to one length each, so that what a request gets does not depend on the others beside it;
 * only the last digits of log-probabilities do, since kernels round by where a row stands in its batch.
 */
import { fillUniform } from '@gvu/core';
import {
  type Backend,
  type BackendDeps,
  type Drawing,
  type DrawRequest,
  modelErrors,
  type Pixels,
  type PromptTrace,
  type Question,
  type ReadRequest,
  type ShownImage,
  type UseOptions,
} from '@gvu/models';
import { exactSampler, type SamplerOptions, sizeOf } from '@gvu/onnx';
import { inChunks } from '../model/chunks.ts';
import { backboneModules, imageTokens, modelParameters } from '../model/config.ts';
import type { Codes, ShapesModel } from '../model/shapes-model.ts';
import { openModel } from '../model/weights.ts';
import { describeInstruction, imageSide, renderScene } from '../world/index.ts';
import { type ModelChoice, modelFingerprint, modelFolder, packageVersion } from './model-folder.ts';
import { fromPlanes, toPlanes } from './planes.ts';
import { createPolicy } from './policy.ts';
import { createTexts, type Texts } from './texts.ts';

export interface ShapesBackendOptions {
  /** Default `regular`. */
  readonly model?: ModelChoice;
  /** What `draw` samples with by default; by default the policy itself. */
  readonly sampler?: SamplerOptions;
}

/**
 * Rows of one run: each size costs a program. Drawing decodes 16 times, where few rows are as slow as many; everything else is as fast
 * in small batches, which stay in the cache, as in large ones.
 */
const drawRows = [16, 64, 128];
const otherRows = [16];

/**
 * Opens a model as a backend. Its programs run in the runtime, which it does not close. Throws GVU_SHAPES_MODEL when there is no such
 * model, and what `openModel` throws.
 */
export async function createShapesBackend(
  { model = 'regular', sampler = exactSampler }: ShapesBackendOptions,
  { runtime }: BackendDeps,
): Promise<Backend> {
  const folder = modelFolder(model);
  const fingerprint = await modelFingerprint(folder);
  const opened = await openModel(runtime, folder, { name: `${folder} ${fingerprint}` });
  return new ShapesBackend(opened, { version: `${await packageVersion()}+${fingerprint}`, sampler });
}

class ShapesBackend implements Backend {
  readonly name = 'shapes';
  readonly version: string;
  readonly policy = 'autoregressive';
  readonly image = { width: imageSide, height: imageSide, decisions: imageTokens };
  readonly representations = ['emitted-tokens', 'retokenised-pixels'] as const;
  readonly parameters: number;
  readonly modules: Backend['modules'];
  readonly defaultTargets = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];
  readonly sampler: SamplerOptions;
  readonly trainable: Backend['trainable'];
  readonly #model: ShapesModel;
  readonly #texts: Texts;
  #empty: Promise<Codes> | undefined;

  constructor(model: ShapesModel, { version, sampler }: { version: string; sampler: SamplerOptions }) {
    const { config, ids, weights } = model;
    this.version = version;
    this.sampler = sampler;
    this.parameters = modelParameters(config).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    this.modules = backboneModules(config);
    this.#model = model;
    this.#texts = createTexts(config.world, ids);
    this.trainable = createPolicy({ config, weights, texts: this.#texts });
  }

  async draw(
    requests: readonly DrawRequest[],
    { sampler = this.sampler, ...use }: UseOptions & { readonly sampler?: SamplerOptions | undefined } = {},
  ): Promise<readonly Drawing[]> {
    const { promptLength } = this.#texts;
    const prompts = this.#texts.prompts(requests.map(({ prompt }) => prompt));
    const rows = requests.map(({ randomness }, i) => ({ words: prompts[i] ?? [], randomness }));
    const drawn = await inChunks(rows, drawRows, (batch) =>
      this.#model.draw(
        batch.map(({ words }) => words),
        batch.map(({ randomness }) => {
          const uniform = new Float32Array(imageTokens);
          fillUniform(uniform, randomness);
          return uniform;
        }),
        { ...use, sampler, promptLength },
      ),
    );
    return drawn.map(({ codes, logProbs, samplerLogProbs }, i) => ({
      prompt: requests[i]?.prompt ?? '',
      tokens: Int32Array.from(codes),
      logProbs: Float32Array.from(logProbs),
      samplerLogProbs: Float32Array.from(samplerLogProbs),
    }));
  }

  async decode(
    drawings: Parameters<Backend['decode']>[0],
    options: Pick<UseOptions, 'signal'> = {},
  ): Promise<readonly Pixels[]> {
    const rows = drawings.map(({ tokens, randomness }) => ({ codes: this.#checkedCodes(tokens), randomness }));
    const images = await inChunks(rows, otherRows, (batch) =>
      this.#model.decode(
        batch.map(({ codes }) => codes),
        batch.map(({ randomness }) => randomness),
        options,
      ),
    );
    return images.map(fromPlanes);
  }

  async read(requests: readonly ReadRequest[], options: UseOptions = {}): Promise<readonly PromptTrace[]> {
    const { textLength } = this.#texts;
    const texts = this.#texts.pairs(
      requests.map(({ instruction = describeInstruction, text }) => ({ instruction, text })),
    );
    const codes = await this.#codesOf(
      requests.map(({ image }) => image),
      options,
    );
    const rows = texts.map((text, i) => ({ ...text, codes: codes[i] ?? [] }));
    const logProbs = await inChunks(rows, otherRows, (batch) => this.#model.read(batch, { ...options, textLength }));
    const { words } = this.#model.ids;
    return texts.map(({ answer }, i) => ({
      tokens: answer.map((word) => words.decode([word])),
      logProbs: logProbs[i]?.slice(0, answer.length) ?? [],
    }));
  }

  async answer(
    questions: readonly Question[],
    { maxTokens = this.#texts.promptLength, ...use }: UseOptions & { readonly maxTokens?: number } = {},
  ): Promise<readonly string[]> {
    const asked = this.#texts.questions(questions.map(({ question = describeInstruction }) => question));
    const codes = await this.#codesOf(
      questions.map(({ image }) => image),
      use,
    );
    const rows = asked.map((question, i) => ({ question, codes: codes[i] ?? [] }));
    const settings = { ...use, questionLength: this.#texts.textLength - 1, steps: maxTokens };
    const answers = await inChunks(rows, otherRows, (batch) => this.#model.answer(batch, settings));
    return answers.map((words) => this.#model.ids.words.decode(words));
  }

  /** Nothing of its own: the programs belong to the runtime. */
  async [Symbol.asyncDispose](): Promise<void> {}

  /** The codes of images as they are shown; the same pixels are encoded once. */
  async #codesOf(images: readonly ShownImage[], options: Pick<UseOptions, 'signal'>): Promise<Codes[]> {
    const pixels = [...new Set(images.flatMap((image) => ('pixels' in image ? [image.pixels] : [])))];
    const planes = pixels.map(toPlanes);
    const given = images.map((image) => ('tokens' in image ? this.#checkedCodes(image.tokens) : undefined));
    const encoded = await inChunks(planes, otherRows, (batch) => this.#model.encode(batch, options));
    const byPixels = new Map(pixels.map((image, i) => [image, encoded[i]]));
    const nothing = images.some((image) => 'none' in image) ? await this.#emptyImage() : [];
    return images.map((image, i) => ('pixels' in image ? byPixels.get(image.pixels) : given[i]) ?? nothing);
  }

  /**
   * What stands for no image: the codes of an empty ground. The model has read no text without an image, and of all images this one
   * says least about what is to be read.
   */
  #emptyImage(): Promise<Codes> {
    this.#empty ??= inChunks([renderScene(this.#model.config.world, [])], otherRows, (batch) =>
      this.#model.encode(batch),
    ).then(([codes = []]) => codes);
    return this.#empty;
  }

  #checkedCodes(tokens: Int32Array): Codes {
    const { codes } = this.#model.config.tokenizer;
    const wrong = tokens.find((token) => !(token >= 0 && token < codes));
    if (tokens.length === imageTokens && wrong === undefined) return Array.from(tokens);
    throw modelErrors.error(
      'GVU_MODEL_IMAGE',
      wrong === undefined
        ? `The image has ${tokens.length} tokens, not ${imageTokens}.`
        : `The image has the token ${wrong}; they are 0 to ${codes - 1}.`,
      { hint: 'Give the tokens of a drawing that this model has made.' },
    );
  }
}
