/**
 * The model as a reader, as far as rewards need it: how probable texts are, given images, under one of the model's states. Whoever runs
 * the model (the trainer, the command line) supplies it; a reward only says which state it wants.
 */
import type { PromptTrace, ReadRequest, Representation } from '@gvu/models';
import type { TeacherKind } from './reward.ts';

export interface Reader {
  readonly kind: TeacherKind;
  /** Which state reads at this moment: changes when its weights do. */
  version(): string;
  /** What the model can be shown, its own recommendation first. */
  readonly representations: readonly Representation[];
  /** As `Backend.read`, with the weights of this state. */
  read(requests: readonly ReadRequest[], options: { readonly signal: AbortSignal }): Promise<readonly PromptTrace[]>;
}

/** The reader of a state. What it costs to keep (a running average) is paid only when it is asked for. */
export type ReaderOf = (kind: TeacherKind) => Reader;
