/**
 * Any autoregressive unified model as a backend of GvU: requests in, token sequences through the model's programs, drawings, traces
 * and answers out. What is particular to a model (its routes, prompts and image codec) is in its `AutoregressiveSpec`.
 *
 * Sequences of one run are padded to one length, which changes no more than the last digits of a log-probability. Answers are the
 * likeliest tokens; the whole length is computed, and cut where the model stopped.
 */
import { fillUniform } from '@gvu/core';
import {
  type CachedSession,
  type LoraOptions,
  type Program,
  type Runtime,
  type SamplerOptions,
  type TensorData,
  tensorData,
  toNumbers,
} from '@gvu/onnx';
import type {
  Backend,
  Drawing,
  DrawRequest,
  Pixels,
  PromptTrace,
  Question,
  ReadRequest,
  ShownImage,
  TrainablePolicy,
  UseOptions,
} from '../backend.ts';
import { modelErrors } from '../errors.ts';
import { inBatches, sharedRows } from './chunks.ts';
import { drawingPlaces, type LineEnds, lineEndsOf } from './line-ends.ts';
import { createPolicy } from './policy.ts';
import { answerProgram, drawProgram, type ProgramOptions, readProgram } from './programs.ts';
import { roundedLength, type SequenceRow, sequenceData } from './sequences.ts';
import type { AutoregressiveSpec, ImageFeatures, TokenGrid } from './spec.ts';

/** Tokens of an answer when the caller does not say. */
const defaultAnswerLength = 64;

export interface AutoregressiveDeps {
  /** Where the programs run. It belongs to the caller. */
  readonly runtime: Runtime;
}

/** The model's weights must be open for as long as the backend is used. */
export function createAutoregressiveBackend(spec: AutoregressiveSpec, deps: AutoregressiveDeps): Backend {
  return new AutoregressiveBackend(spec, deps.runtime);
}

/** A sequence to read: what is before the text, and the features of its image. */
interface Asked {
  readonly ids: readonly number[];
  readonly features: ImageFeatures | undefined;
}

type Shown = TokenGrid | ImageFeatures | undefined;

class AutoregressiveBackend implements Backend {
  readonly name: string;
  readonly version: string;
  readonly policy = 'autoregressive';
  readonly image: Backend['image'];
  readonly representations: Backend['representations'];
  readonly parameters: number;
  readonly modules: Backend['modules'];
  readonly defaultTargets: readonly string[];
  readonly sampler: SamplerOptions;
  readonly trainable: TrainablePolicy;
  readonly #spec: AutoregressiveSpec;
  readonly #runtime: Runtime;
  readonly #lineEnds: LineEnds | undefined;

  constructor(spec: AutoregressiveSpec, runtime: Runtime) {
    const { rows, columns, width, height } = spec.image;
    this.name = spec.name;
    this.version = spec.version;
    this.image = { width, height, decisions: rows * columns };
    this.representations = spec.representations;
    this.parameters = spec.parameters;
    this.modules = spec.model.modules;
    this.defaultTargets = spec.defaultTargets;
    this.sampler = spec.sampler;
    this.#lineEnds = lineEndsOf(spec.image);
    this.trainable = createPolicy(spec.model, {
      steps: rows * columns,
      lineEnds: this.#lineEnds,
      promptIds: (prompt) => this.#promptIds(prompt),
      padding: spec.sequences.padding,
      embeddings: spec.embeddings,
    });
    this.#spec = spec;
    this.#runtime = runtime;
  }

  async draw(
    requests: readonly DrawRequest[],
    { sampler = this.sampler, ...use }: UseOptions & { readonly sampler?: SamplerOptions | undefined } = {},
  ): Promise<readonly Drawing[]> {
    const { model, guidance, sequences } = this.#spec;
    const steps = this.image.decisions;
    const rows = requests.map((request) => ({ ...request, ids: this.#promptIds(request.prompt) }));
    return inBatches(rows, async (batch) => {
      const length = roundedLength(Math.max(...batch.map(({ ids }) => ids.length)));
      const { shared: prompts, indices } = sharedRows(batch.map(({ ids }) => ids));
      const without = guidance ? prompts.map((ids) => sequences.unconditional?.(ids) ?? []) : [];
      const options = { rows: batch.length, length, adapter: use.adapter?.options };
      const drawing = { steps, sampler, guidance, prompts: prompts.length, lineEnds: this.#lineEnds };
      const session = await this.#session('draw', { ...options, ...drawing }, () =>
        drawProgram(model, options, drawing),
      );
      const feeds = {
        ...this.#sequences(
          [...prompts, ...without].map((before) => ({ before })),
          { length },
        ),
        uniform: noise(batch, steps),
        ...(indices && { promptOf: tensorData('int64', [batch.length], indices) }),
      };
      const found = await session.run(feeds, { ...running(use), fetch: ['tokens', 'policy', 'sampler'] });
      const [tokens, policy, drawn] = [found.tokens, found.policy, found.sampler].map((tensor) => byRow(tensor, steps));
      this.#refuseNaN(policy);
      return batch.map(({ prompt }, i) => ({
        prompt,
        tokens: Int32Array.from(tokens?.[i] ?? []),
        logProbs: Float32Array.from(policy?.[i] ?? []),
        samplerLogProbs: Float32Array.from(drawn?.[i] ?? []),
      }));
    });
  }

  async decode(
    drawings: Parameters<Backend['decode']>[0],
    options: Pick<UseOptions, 'signal'> = {},
  ): Promise<readonly Pixels[]> {
    for (const { tokens } of drawings) this.#checkTokens(tokens);
    return this.#spec.codec.decode(drawings, options);
  }

  async read(requests: readonly ReadRequest[], use: UseOptions = {}): Promise<readonly PromptTrace[]> {
    const { model, sequences, tokenizer } = this.#spec;
    const targets = requests.map(({ text }) => tokenizer.encodePlain(text));
    const asked = await this.#asked(
      requests.map(({ image, instruction = sequences.describe }) => ({ image, instruction })),
      use,
    );
    const rows = asked.map((row, i) => this.#fitting({ ...row, target: targets[i] ?? [] }, targets[i]?.length ?? 0));
    return inBatches(rows, async (batch) => {
      const length = roundedLength(Math.max(...batch.map(({ ids }) => ids.length)));
      const textLength = roundedLength(Math.max(...batch.map(({ target }) => target.length)));
      const { options, feeds: features } = this.#options(batch, { length, use });
      const session = await this.#session('read', { ...options, textLength }, () =>
        readProgram(model, options, { textLength }),
      );
      const sequenceRows = batch.map(({ ids, target }) => ({ before: ids, after: target.slice(0, -1) }));
      const wanted = batch.flatMap(({ target }) => Array.from({ length: textLength }, (_, i) => target[i] ?? 0));
      const feeds = {
        ...features,
        ...this.#sequences(sequenceRows, { length, afterLength: textLength - 1 }),
        targets: tensorData('int64', [batch.length, textLength], wanted),
      };
      const { logProbs } = await session.run(feeds, { ...running(use), fetch: ['logProbs'] });
      const found = byRow(logProbs, textLength);
      this.#refuseNaN(found);
      return batch.map(({ target }, i) => ({
        tokens: target.map((token) => tokenizer.decode([token])),
        logProbs: found[i]?.slice(0, target.length) ?? [],
      }));
    });
  }

  async answer(
    questions: readonly Question[],
    { maxTokens: steps = defaultAnswerLength, ...use }: UseOptions & { readonly maxTokens?: number } = {},
  ): Promise<readonly string[]> {
    const { model, sequences, tokenizer } = this.#spec;
    const asked = await this.#asked(
      questions.map(({ image, question = sequences.describe }) => ({ image, instruction: question })),
      use,
    );
    const rows = asked.map((row) => this.#fitting(row, steps));
    return inBatches(rows, async (batch) => {
      const length = roundedLength(Math.max(...batch.map(({ ids }) => ids.length)));
      const { options, feeds: features } = this.#options(batch, { length, use });
      const session = await this.#session('answer', { ...options, steps }, () =>
        answerProgram(model, options, { steps }),
      );
      const feeds = {
        ...features,
        ...this.#sequences(
          batch.map(({ ids }) => ({ before: ids })),
          { length },
        ),
      };
      const { tokens, policy } = await session.run(feeds, { ...running(use), fetch: ['tokens', 'policy'] });
      this.#refuseNaN(byRow(policy, steps));
      return byRow(tokens, steps).map((ids) => {
        const end = ids.findIndex((id) => sequences.stop.includes(id));
        return tokenizer.decode(end < 0 ? ids : ids.slice(0, end));
      });
    });
  }

  /** Nothing of its own: programs and variables belong to the runtime. */
  async [Symbol.asyncDispose](): Promise<void> {}

  #promptIds(prompt: string): readonly number[] {
    const ids = this.#spec.sequences.draw(prompt);
    const places = drawingPlaces(this.image.decisions, this.#lineEnds);
    return this.#fitting({ ids, features: undefined }, places.length).ids;
  }

  /** Refuses a sequence that is longer, with what follows it, than the model was made for. */
  #fitting<Row extends Asked>(row: Row, following: number): Row {
    const total = row.ids.length + following;
    const { maxTokens } = this.#spec;
    if (total <= maxTokens) return row;
    throw modelErrors.error(
      'GVU_MODEL_TEXT',
      `A sequence has ${row.ids.length} tokens, and ${following} to come; the model takes ${maxTokens}.`,
      { hint: 'Give a shorter text, or draw smaller images.' },
    );
  }

  /** The sequences that ask something about images. Equal pixels are looked at once. */
  async #asked(
    questions: readonly { readonly image: ShownImage; readonly instruction: string }[],
    use: UseOptions,
  ): Promise<readonly Asked[]> {
    const { codec, sequences } = this.#spec;
    const pixels = [...new Set(questions.flatMap(({ image }) => ('pixels' in image ? [image.pixels] : [])))];
    if (pixels.length > 0 && !codec.see)
      throw modelErrors.error(
        'GVU_MODEL_IMAGE',
        `The model '${this.name}' has no eyes here: it cannot be shown pixels.`,
        {
          hint: 'Give the tokens of a drawing, or add the weights of the image encoder to the checkpoint.',
        },
      );
    const seen = (pixels.length > 0 && (await codec.see?.(pixels, use))) || [];
    const byPixels = new Map(pixels.map((image, i) => [image, seen[i]]));
    return questions.map(({ image, instruction }) => {
      const shown: Shown =
        'pixels' in image ? byPixels.get(image.pixels) : 'tokens' in image ? this.#grid(image.tokens) : undefined;
      return {
        ids: sequences.read(instruction, shown),
        features: shown && 'values' in shown ? shown : undefined,
      };
    });
  }

  /** Tokens of a drawing, as it was emitted. */
  #grid(tokens: Int32Array): TokenGrid {
    const { image, representations } = this.#spec;
    if (!representations.includes('emitted-tokens'))
      throw modelErrors.error('GVU_MODEL_IMAGE', `The model '${this.name}' cannot read the tokens that it draws.`, {
        hint: 'Decode the drawing, and give its pixels.',
      });
    this.#checkTokens(tokens);
    return { rows: image.rows, columns: image.columns, tokens };
  }

  /** The likeliest of NaN is token 0, and no number behind it would say so. */
  #refuseNaN(logProbs: readonly (readonly number[])[] | undefined): void {
    if (!logProbs?.some((row) => row.some(Number.isNaN))) return;
    throw modelErrors.error('GVU_MODEL_NAN', `The model '${this.name}' computes NaN in ${this.#spec.model.dtype}.`, {
      hint: 'Its weights or its adapter are broken, or too large for float16: get them again, or compute in float32.',
    });
  }

  #checkTokens(tokens: Int32Array): void {
    const { decisions } = this.image;
    const count = this.#spec.model.routes.image.tokens;
    const wrong = tokens.find((token) => !(token >= 0 && token < count));
    const problem =
      tokens.length !== decisions
        ? `The image has ${tokens.length} tokens, not ${decisions}.`
        : wrong !== undefined && `The image has the token ${wrong}; they are 0 to ${count - 1}.`;
    if (problem === false) return;
    throw modelErrors.error('GVU_MODEL_IMAGE', problem, {
      hint: 'Give the tokens of a drawing that this model has made.',
    });
  }

  /** Of sequences with images: what their program is built for, and the features that it is fed. */
  #options(
    batch: readonly Asked[],
    { length, use }: { length: number; use: UseOptions },
  ): { options: ProgramOptions; feeds: Readonly<Record<string, TensorData>> } {
    const { placeholder, model } = this.#spec;
    const images = batch.flatMap(({ features }) => features ?? []);
    const count = images.reduce((sum, image) => sum + image.count, 0);
    const options = { rows: batch.length, length, adapter: use.adapter?.options };
    if (count === 0 || placeholder === undefined) return { options, feeds: {} };
    const values = new Float32Array(count * model.config.width);
    let filled = 0;
    for (const image of images) {
      values.set(image.values, filled);
      filled += image.values.length;
    }
    const features = { dtype: 'float32', shape: [count, model.config.width], data: values } as const;
    return { options: { ...options, features: { placeholder, count } }, feeds: { features } };
  }

  #sequences(rows: readonly SequenceRow[], options: { length: number; afterLength?: number }) {
    const { ids, positions, real } = sequenceData(rows, { ...options, padding: this.#spec.sequences.padding });
    return { ids, positions, real };
  }

  #session(
    what: string,
    options: Readonly<Record<string, unknown>> & { readonly adapter?: LoraOptions | undefined },
    build: () => Program,
  ): Promise<CachedSession> {
    const key = [this.name, this.version, what, JSON.stringify(options)].join(' ');
    return this.#runtime.cached(key, build);
  }
}

function running({ adapter, signal }: UseOptions) {
  return { variables: adapter?.variables, signal };
}

/** Uniform numbers [steps, B, 1] of each request's own address. */
function noise(requests: readonly DrawRequest[], steps: number): TensorData {
  const table = new Float32Array(steps * requests.length);
  requests.forEach(({ randomness }, row) => {
    const own = new Float32Array(steps);
    fillUniform(own, randomness);
    own.forEach((value, step) => {
      table[step * requests.length + row] = value;
    });
  });
  return { dtype: 'float32', shape: [steps, requests.length, 1], data: table };
}

/** The rows of a table [B, columns]. */
function byRow(tensor: TensorData, columns: number): readonly (readonly number[])[] {
  const values = toNumbers(tensor);
  return Array.from({ length: values.length / columns }, (_, i) => values.slice(i * columns, (i + 1) * columns));
}
