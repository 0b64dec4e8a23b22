/**
 * Steers the run that is trained in this process: what clients of the server ask for is done between two steps, by the trainer itself.
 * The trainer waits for nobody but for one who asked it to wait.
 */
import type { BetweenSteps } from '@gvu/rl';
import type { RunControl, Steered } from '@gvu/server';
import { cliErrors } from '../errors.ts';

interface Wanted {
  readonly resolve: (step: number) => void;
  readonly reject: (error: unknown) => void;
}

export class Steering implements RunControl, Disposable {
  readonly #run: string;
  readonly #stop = new AbortController();
  #paused: boolean = false;
  #over: boolean = false;
  #checkpoints: Wanted[] = [];
  #wake: (() => void) | undefined;

  /** `run`: its name at the server. */
  constructor(run: string) {
    this.#run = run;
    this.#stop.signal.addEventListener('abort', () => this.#wake?.());
  }

  /** Aborted when someone stops the run, or by `interrupt`. */
  signal(interrupt: AbortSignal): AbortSignal {
    interrupt.addEventListener('abort', () => this.#stop.abort());
    if (interrupt.aborted) this.#stop.abort();
    return this.#stop.signal;
  }

  /** For the trainer: undefined when there is nothing to wait for. */
  beforeStep(pause: BetweenSteps): Promise<void> | undefined {
    return this.#paused || this.#checkpoints.length > 0 ? this.#hold(pause) : undefined;
  }

  async #hold({ step, checkpoint }: BetweenSteps): Promise<void> {
    for (;;) {
      const wanted = this.#checkpoints;
      this.#checkpoints = [];
      if (wanted.length > 0) {
        try {
          await checkpoint();
          for (const { resolve } of wanted) resolve(step);
        } catch (error) {
          for (const { reject } of wanted) reject(error);
          throw error;
        }
      }
      if (!this.#paused || this.#stop.signal.aborted) return;
      if (this.#checkpoints.length > 0) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  steered(): ReadonlyMap<string, Steered> {
    return new Map(this.#over ? [] : [[this.#run, this.#paused ? 'paused' : 'running']]);
  }

  async pause(run: string): Promise<void> {
    this.#require(run);
    this.#paused = true;
  }

  async resume(run: string): Promise<void> {
    this.#require(run);
    this.#paused = false;
    this.#wake?.();
  }

  async checkpoint(run: string): Promise<number> {
    this.#require(run);
    return await new Promise<number>((resolve, reject) => {
      this.#checkpoints.push({ resolve, reject });
      this.#wake?.();
    });
  }

  async stop(run: string): Promise<void> {
    this.#require(run);
    this.#stop.abort();
  }

  #require(run: string): void {
    if (run === this.#run && !this.#over) return;
    const [message, hint] =
      run === this.#run
        ? [`The run ${run} has ended.`, 'Go on with it by `gvu train --resume`.']
        : [
            `The run ${run.slice(0, 128)} is not trained by this process.`,
            `Ask the one that trains it; this one trains ${this.#run}.`,
          ];
    throw cliErrors.error('GVU_CLI_CONTROL', message, { hint });
  }

  /** The run is over: nothing can be asked of it any more. */
  [Symbol.dispose](): void {
    this.#over = true;
    for (const { reject } of this.#checkpoints) {
      reject(cliErrors.error('GVU_CLI_CONTROL', `The run ${this.#run} ended first, with a checkpoint of its own.`));
    }
  }
}
