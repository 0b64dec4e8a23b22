/** What the checks of a backend share: how it is made, what it is asked, and how closely its numbers must agree. */
import { randomStream } from '@gvu/core';
import type {
  ActiveAdapter,
  Backend,
  Drawing,
  DrawRequest,
  Pixels,
  Representation,
  ShownImage,
  UseOptions,
} from '@gvu/models';
import { flatSize, type LoraOptions, loraLayout, type Runtime, type TensorDataOf } from '@gvu/onnx';
import { withTolerances } from '../check.ts';
import { testingErrors } from '../errors.ts';

export type BackendCapability = 'text-to-image' | 'image-to-text' | 'trainable';

export interface BackendConformanceOptions {
  /** Where it runs; also `create` must use it. It belongs to the caller. */
  readonly runtime: Runtime;
  /** A new instance of the same model each time. The smallest there is will do: random weights have to conform as well. */
  readonly create: () => Backend | Promise<Backend>;
  /** Three or more different prompts that it can draw and read, best of different lengths. */
  readonly prompts: readonly string[];
  /** What its manifest declares; what is not declared is not tested. Default: all. */
  readonly capabilities?: readonly BackendCapability[];
  /** Texts that it must refuse with GVU_MODEL_TEXT, such as one with a control token. The empty text is one always. */
  readonly refusedTexts?: readonly string[];
  readonly tolerances?: Partial<BackendTolerances>;
  /** How long an aborted call may go on, in milliseconds. Default 10 000. */
  readonly abortBudgetMs?: number;
}

export const backendTolerances = {
  /** Between two log-probabilities of one thing, in nats: kernels round by where a row stands in its batch. */
  logProbs: 5e-5,
  /** Between a gradient and differences, relative. */
  gradient: 1e-2,
};
export type BackendTolerances = typeof backendTolerances;

export interface BackendSubject {
  readonly runtime: Runtime;
  readonly create: () => Promise<Backend>;
  readonly prompts: readonly string[];
  /** Five, each with an address of its own; the first two share their prompt. */
  readonly requests: readonly DrawRequest[];
  readonly refusedTexts: readonly string[];
  readonly tolerances: BackendTolerances;
  readonly abortBudgetMs: number;
}

const stream = randomStream(20_261_123, 'testing/backend');

/** Throws GVU_TESTING_OPTIONS. */
export function backendSubject(options: BackendConformanceOptions): BackendSubject {
  const { runtime, create, prompts, refusedTexts = [], abortBudgetMs = 10_000 } = options;
  if (new Set(prompts).size < 3)
    throw testingErrors.error('GVU_TESTING_OPTIONS', `There are ${new Set(prompts).size} different prompts.`, {
      hint: 'Give three or more that the backend can draw.',
    });
  const asked = [...prompts.slice(0, 1), ...prompts, ...prompts].slice(0, 5);
  return {
    runtime,
    create: async () => await create(),
    prompts,
    requests: asked.map((prompt, i) => ({ prompt, randomness: stream.at(i) })),
    refusedTexts: ['', ...refusedTexts],
    tolerances: withTolerances(backendTolerances, options.tolerances),
    abortBudgetMs,
  };
}

export const adapterOptions = (backend: Backend): LoraOptions => ({
  rank: 2,
  alpha: 4,
  targets: backend.defaultTargets,
});

/** An adapter over the default targets with values up to `scale`. It has to be disposed of. */
export async function adapterOf(
  { runtime }: Pick<BackendSubject, 'runtime'>,
  backend: Backend,
  scale: number,
): Promise<ActiveAdapter & AsyncDisposable> {
  const options = adapterOptions(backend);
  const adapter = adapterValues(flatSize(loraLayout(backend.modules, options)), scale);
  const variables = await runtime.variables({ adapter });
  return { options, variables, [Symbol.asyncDispose]: () => variables.dispose() };
}

/** Values of both signs without a pattern that a network could cancel. */
export function adapterValues(size: number, scale: number): TensorDataOf<'float32'> {
  const data = Float32Array.from({ length: size }, (_, i) => scale * Math.sin(1 + 7 * i + 0.01 * i * i));
  return { dtype: 'float32', shape: [size], data };
}

export const logProbsOf = (drawings: readonly Drawing[]): readonly number[] =>
  drawings.flatMap(({ logProbs }) => [...logProbs]);
export const tokensOf = (drawings: readonly Drawing[]): readonly (readonly number[])[] =>
  drawings.map(({ tokens }) => [...tokens]);

/** The pictures of drawings, each decoded at the address that it was drawn from. */
export function decoded(
  backend: Backend,
  drawings: readonly Drawing[],
  options: Pick<UseOptions, 'signal'> = {},
): Promise<readonly Pixels[]> {
  return backend.decode(
    drawings.map(({ tokens, prompt }, i) => ({ tokens, prompt, randomness: stream.at(100, i) })),
    options,
  );
}

/** Its first drawings, in a form that it can read. */
export async function shownImages(
  { requests }: Pick<BackendSubject, 'requests'>,
  backend: Backend,
  form: Representation,
): Promise<readonly ShownImage[]> {
  const drawings = await backend.draw(requests.slice(0, 3));
  if (form === 'emitted-tokens') return drawings.map(({ tokens }) => ({ tokens }));
  return (await decoded(backend, drawings)).map((pixels) => ({ pixels }));
}
