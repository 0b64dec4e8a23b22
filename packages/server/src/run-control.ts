/** Steering of training, as the server needs it; the command line, which holds the trainer, implements it. */
import type { JsonValue } from '@gvu/core';

export type Steered = 'running' | 'paused';

/** The methods throw GvuErrors that the client is told, for instance of a run that is not training. */
export interface RunControl {
  /** The runs that can be steered here at this moment, by name. */
  steered(): ReadonlyMap<string, Steered>;
  /** Starts a run and returns its name. `config` is what a client sent: validate it. Absent where none can be started. */
  start?(config: JsonValue): Promise<string>;
  /** Holds after the current step. */
  pause(run: string): Promise<void>;
  resume(run: string): Promise<void>;
  /** Writes a checkpoint after the current step and returns the step. */
  checkpoint(run: string): Promise<number>;
  /** Ends after the current step, with a checkpoint. */
  stop(run: string): Promise<void>;
}
