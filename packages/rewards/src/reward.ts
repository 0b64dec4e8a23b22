/**
 * The contract of a reward: a batch of drawn images in, one number for each out. A reward says what it looks at, in which range
 * its numbers lie, and who judged; it knows nothing of groups, advantages or training.
 */
import { contributionPoint, type JsonValue } from '@gvu/core';
import type { Pixels, PromptTrace, Representation } from '@gvu/models';
import type { Runtime } from '@gvu/onnx';
import type { ReaderOf } from './reader.ts';

/** A drawn image and what it was drawn from. Fields beyond the first three are there when a reward in use asks for them. */
export interface Rollout {
  /** What was to be drawn. */
  readonly prompt: string;
  /** Which prompt of which step, and which of its images: names the rollout in its run. Integers from 0. */
  readonly address: { readonly step: number; readonly prompt: number; readonly sample: number };
  /** What the prompt asks for, in the form of its benchmark. */
  readonly metadata?: JsonValue;
  /** [T]: the image as the policy emitted it. */
  readonly tokens?: Int32Array;
  readonly pixels?: Pixels;
  /** An image to compare with. */
  readonly reference?: Pixels;
}

export type RewardInput = 'metadata' | 'tokens' | 'pixels' | 'reference';

export interface Reward {
  readonly name: string;
  /** Changes whenever the same image could get another number: of the code, of its weights, of its wording. */
  readonly version: string;
  /** What it reads of a rollout besides the prompt. */
  readonly inputs: readonly RewardInput[];
  /** Both ends may be infinite; the numbers themselves may not. */
  readonly range: readonly [low: number, high: number];
  /** Whether the same rollout always gets the same number. */
  readonly deterministic: boolean;
  /** One number for each rollout, better when higher. May reject; what becomes of that is the caller's `onError`. */
  score(rollouts: readonly Rollout[], options: { readonly signal: AbortSignal }): Promise<RewardScores>;
}

export interface RewardScores {
  /** [B]; NaN = this rollout cannot be judged. */
  readonly values: readonly number[];
  /** Of rollouts that are NaN because something went wrong, by row: what. The caller's `onError` decides about them. */
  readonly failed?: ReadonlyMap<number, unknown>;
  /** For rewards made of the likelihood of the prompt: the log-probability of each of its tokens, given the image. [B] */
  readonly perToken?: readonly PromptTrace[];
  /** Anything else that explains the numbers, for people to look at. [B] */
  readonly trace?: readonly JsonValue[];
  /** Who judged, when it was a model that may change. */
  readonly teacher?: Teacher;
}

export type TeacherKind = 'live' | 'frozen' | 'ema';

export interface Teacher {
  /** The policy as it is now, as it was at the start, or a running average of it. */
  readonly kind: TeacherKind;
  /** Which of its states judged. */
  readonly version: string;
  /** What it looked at: the policy's own tokens, tokens of the decoded picture, or features of the picture. */
  readonly representation: Representation;
}

export interface RewardDeps {
  /** Of the run: for rewards that are random. */
  readonly seed: number;
  /** The model as a reader of its own drawings. */
  readonly reader: ReaderOf;
  /** Where rewards that have a network of their own run it; it belongs to the caller. */
  readonly runtime?: Runtime;
}

export const rewards = contributionPoint<Reward, RewardDeps>({
  kind: 'rewards',
  description: 'What a drawing is worth, as a number.',
});
