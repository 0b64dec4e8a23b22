/**
 * Where prompts come from. A source gives the prompts of training by place, so that a resumed run gets the same ones, and the
 * prompts of evaluation as a list that training never sees.
 */
import { contributionPoint, type JsonValue, type RandomAddress } from '@gvu/core';

export interface Prompt {
  readonly prompt: string;
  /** Its category, by which evaluations are broken down. */
  readonly tag?: string;
  /** What it asks for, in the form of its benchmark: for rewards that look at `metadata`. */
  readonly metadata?: JsonValue;
}

export interface PromptSource {
  readonly name: string;
  /** Changes whenever the same place could get another prompt. */
  readonly version: string;
  /** For people: how many prompts there are, and what became of the lines of a file. */
  readonly description?: string;
  /** Every prompt that it may give, where it has a list of them: a run looks at all of them before it begins. */
  readonly listed?: readonly Prompt[];
  /** The prompt of a place in training: a pure function. */
  train(address: RandomAddress): Prompt;
  /**
   * Prompts that training never gives, at most `perTag` of each category, in a fixed order; categories with fewer prompts give those
   * they have, each once.
   */
  heldOut(options: { readonly seed: number; readonly perTag: number }): readonly Prompt[];
}

export const prompts = contributionPoint<PromptSource>({
  kind: 'prompts',
  description: 'Prompts to train on and to evaluate with.',
});
