/** What a backend says of its autoregressive model, and the core makes a `Backend` of: see `backend.ts`. */
import type { Guidance } from '@gvu/onnx';
import type { Backend, Pixels, Representation, UseOptions } from '../backend.ts';
import type { AutoregressiveModel } from './model.ts';
import type { PolicyOptions } from './policy.ts';
import type { TextTokenizer } from './text-tokenizer.ts';

/** A grid of image tokens, row by row. */
export interface TokenGrid {
  readonly rows: number;
  readonly columns: number;
  readonly tokens: Int32Array;
}

/** Continuous features of an image: [count, width] of the decoder, which take the places of as many placeholders. */
export interface ImageFeatures {
  readonly count: number;
  readonly values: Float32Array;
}

/** An image as it stands in a sequence. */
export type SequenceImage = TokenGrid | Pick<ImageFeatures, 'count'>;

export interface SequenceBuilder {
  /** The tokens that a drawing continues. Throws GVU_MODEL_TEXT. */
  draw(prompt: string): readonly number[];
  /** With guidance: what stands for no prompt beside these tokens of one. */
  unconditional?(prompt: readonly number[]): readonly number[];
  /** The tokens before the text that is scored or answered. Throws GVU_MODEL_TEXT. */
  read(instruction: string, image: SequenceImage | undefined): readonly number[];
  /** What the model is asked when nothing else is said: P_sys of the paper. */
  readonly describe: string;
  /** Tokens that end an answer. */
  readonly stop: readonly number[];
  /** A token that stands where there is none. */
  readonly padding: number;
}

export interface ImageCodec {
  /** Pictures of drawings. */
  decode: Backend['decode'];
  /** Images as the model's sequences have them. Absent = the model cannot be shown pixels. Throws GVU_MODEL_IMAGE. */
  readonly see?: (
    images: readonly Pixels[],
    options: Pick<UseOptions, 'signal'>,
  ) => Promise<readonly (TokenGrid | ImageFeatures)[]>;
}

export interface AutoregressiveSpec
  extends Pick<Backend, 'name' | 'version' | 'parameters' | 'defaultTargets' | 'sampler'> {
  readonly model: AutoregressiveModel;
  readonly tokenizer: TextTokenizer;
  readonly sequences: SequenceBuilder;
  readonly codec: ImageCodec;
  /** What it can read, its own recommendation first. Drawn tokens are read as they are only with `emitted-tokens`. */
  readonly representations: readonly Representation[];
  /** The grid of tokens of every drawing, and its picture. */
  readonly image: {
    readonly rows: number;
    readonly columns: number;
    readonly width: number;
    readonly height: number;
    /** The id of a token that the model has between the rows of image tokens: it is forced, and in no drawing. */
    readonly lineEnd?: number;
  };
  readonly guidance?: Guidance | undefined;
  /** The id whose places features take, where the model is shown features. */
  readonly placeholder?: number;
  /** The longest sequence that the model was made for. */
  readonly maxTokens: number;
  readonly embeddings?: PolicyOptions['embeddings'];
}
