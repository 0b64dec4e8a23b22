/**
 * The contract of a backend: a unified multimodal model that draws (text to image) and reads (image to text), as the rest of GvU sees
 * it. A backend owns its weights, its tokenizers and its programs. It knows no reward, no group and no training step.
 *
 * A drawing is a row of T decisions, whatever they are: tokens of an autoregressive policy, steps of unmasking, steps of a
 * stochastic flow. Nothing above a backend may assume that a decision is a token.
 */
import type { RandomAddress } from '@gvu/core';
import type { Graph, LoraModule, LoraOptions, SamplerOptions, Tensor, TensorData, Variables } from '@gvu/onnx';
import type { Adapter } from './modules.ts';

/** How the policy makes its decisions, which says what a log-probability is one of. */
export type PolicyKind = 'autoregressive' | 'masked-diffusion' | 'flow';

/**
 * What the reading half looks at: the tokens that the policy emitted, tokens made anew of the decoded picture, or continuous features
 * of the picture. The first needs no pixels.
 */
export type Representation = 'emitted-tokens' | 'retokenised-pixels' | 'features';

/** An image in RGB, 8 bits a channel, row by row: `data` has 3 × width × height bytes, the channels of a pixel adjacent. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** The tokens of a text and the log-probability of each, in nats, given the image and the tokens before it. */
export interface PromptTrace {
  readonly tokens: readonly string[];
  readonly logProbs: readonly number[];
}

/**
 * An adapter in use. Its values stay in the runtime, so that a trainer can change them between two calls without their crossing a
 * thread. Without one, the backend works with its own weights alone.
 */
export interface ActiveAdapter {
  readonly options: LoraOptions;
  /** Holds the variable `adapter`: float32 [P], in the layout of `loraLayout(backend.modules, options)`. */
  readonly variables: Variables;
}

export interface DrawRequest {
  readonly prompt: string;
  /** Everything random about the drawing; two requests with one address and one prompt give one drawing. */
  readonly randomness: RandomAddress;
}

/** A drawing before it is a picture. All lists have one number for each of its T decisions. */
export interface Drawing {
  readonly prompt: string;
  /** The image as the policy emitted it. */
  readonly tokens: Int32Array;
  /** In nats, under the policy: the whole softmax at temperature 1. */
  readonly logProbs: Float32Array;
  /** In nats, under what was really drawn from: after temperature, truncation and guidance. */
  readonly samplerLogProbs: Float32Array;
  /** 0 where the decision was forced and teaches nothing. Absent = all are free. */
  readonly free?: Uint8Array;
}

/** An image as it is shown to the reading half. Without either, the text is scored for itself, as a prior. */
export type ShownImage = { readonly tokens: Int32Array } | { readonly pixels: Pixels } | { readonly none: true };

export interface ReadRequest {
  readonly image: ShownImage;
  /** What is said before the text, P_sys in the paper. Default: the backend's request for a description. */
  readonly instruction?: string;
  readonly text: string;
}

export interface Question {
  readonly image: ShownImage;
  /** Default: the backend's request for a description. */
  readonly question?: string;
}

export interface UseOptions {
  readonly adapter?: ActiveAdapter | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Backend extends AsyncDisposable {
  /** As users name it: the id of its contribution. */
  readonly name: string;
  /** Changes whenever the same seed could give another drawing: of the code and of the weights. */
  readonly version: string;
  readonly policy: PolicyKind;
  readonly image: {
    readonly width: number;
    readonly height: number /** T of every drawing. */;
    readonly decisions: number;
  };
  /** What it can read, its own recommendation first. */
  readonly representations: readonly Representation[];
  /** The number of its weights. */
  readonly parameters: number;
  /** The modules that can carry an adapter, and those that carry one by default. */
  readonly modules: readonly LoraModule[];
  readonly defaultTargets: readonly string[];
  /** What `draw` samples with by default. */
  readonly sampler: SamplerOptions;

  /** One drawing for each request; what it gives does not depend on how requests are batched. Throws GVU_MODEL_TEXT for a prompt it cannot take. */
  draw(
    requests: readonly DrawRequest[],
    options?: UseOptions & { readonly sampler?: SamplerOptions | undefined },
  ): Promise<readonly Drawing[]>;
  /** The pictures of drawings; a decoder that is itself random takes all of that from the address. */
  decode(
    drawings: readonly { readonly tokens: Int32Array; readonly prompt: string; readonly randomness: RandomAddress }[],
    options?: Pick<UseOptions, 'signal'>,
  ): Promise<readonly Pixels[]>;
  /**
   * How probable texts are given images: one teacher-forced pass over all of a text's tokens; neither instruction nor end is scored.
   * Throws GVU_MODEL_TEXT for a text, GVU_MODEL_IMAGE for an image that it cannot take.
   */
  read(requests: readonly ReadRequest[], options?: UseOptions): Promise<readonly PromptTrace[]>;
  /** Answers in words, the likeliest token each time. */
  answer(
    questions: readonly Question[],
    options?: UseOptions & { readonly maxTokens?: number },
  ): Promise<readonly string[]>;

  /** Everything a trainer needs to differentiate the log-probabilities of drawings. Only for backends that can be trained. */
  readonly trainable: TrainablePolicy;
}

export interface TrainablePolicy {
  /**
   * The length to which these prompts are padded in programs; a few values serve all prompts, so that few programs are compiled.
   * Throws GVU_MODEL_TEXT for prompts that it cannot take.
   */
  promptLength(prompts: readonly string[]): number;
  /** Declares the inputs of drawings and builds their log-probabilities, differentiable through the adapter. */
  build(graph: Graph, options: PolicyGraphOptions): PolicyTerms;
  /** What `build` declared, for as many drawings as it has rows. */
  feeds(drawings: readonly Drawing[], options: { readonly promptLength: number }): Readonly<Record<string, TensorData>>;
}

export interface PolicyGraphOptions {
  /** B */
  readonly rows: number;
  readonly promptLength: number;
  /** Its tensors are in the same graph. Absent = the policy that the backend started from. */
  readonly adapter?: Adapter | undefined;
  /** Divides the logits: that of the sampler. */
  readonly temperature: number;
  /** Compute each block again in the backward pass: less memory, more time. */
  readonly checkpointing?: boolean;
}

/** Of B drawings of T decisions. Nothing that is not read is computed. */
export interface PolicyTerms {
  /** [B, T] float32, in nats. */
  readonly logp: Tensor;
  /** [B, T] float32, in nats. */
  readonly entropy: Tensor;
  /** [B, T] bool: which decisions were free. */
  readonly mask: Tensor;
  /** [B, T, D]: the decisions as the image decoder sees them. */
  readonly embeddings?: Tensor;
}
