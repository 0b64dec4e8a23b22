/** The events of a run as they are logged, while the trainer works in this process. */
import { type EventTail, type LogEvent, tailEvents } from '@gvu/core';
import { isRun } from '../runs/run-folder.ts';

/** How long the last events may take to arrive after the run has ended. */
const drainMs = 2_000;

/** Hands on what the run in this folder logs from now on, to the end of it. */
export class RunFollower {
  readonly #folder: string;
  readonly #onEvent: (event: LogEvent) => void;
  readonly #controller = new AbortController();
  #following: Promise<void> | undefined;

  private constructor(folder: string, onEvent: (event: LogEvent) => void) {
    this.#folder = folder;
    this.#onEvent = onEvent;
  }

  /** Of a run that is there already, only what comes now. */
  static async open(folder: string, onEvent: (event: LogEvent) => void): Promise<RunFollower> {
    const follower = new RunFollower(folder, onEvent);
    if (isRun(folder)) {
      const { signal } = follower.#controller;
      follower.#following = follower.#follow(await tailEvents(folder, { from: 'latest', signal }));
    }
    return follower;
  }

  /** To be called while the run goes on: a new one is followed as soon as it has a log. */
  poke(): void {
    if (this.#following !== undefined || !isRun(this.#folder)) return;
    const { signal } = this.#controller;
    this.#following = tailEvents(this.#folder, { from: 'earliest', signal }).then((tail) => this.#follow(tail));
    // A log that cannot be followed costs lines on the screen, never the run.
    this.#following.catch(() => {});
  }

  /** Resolves when the end of the run was handed on. */
  async end(): Promise<void> {
    this.poke();
    const timer = setTimeout(() => this.#controller.abort(), drainMs);
    await this.#following?.catch(() => {});
    clearTimeout(timer);
  }

  async #follow(tail: EventTail): Promise<void> {
    for await (const event of tail) {
      this.#onEvent(event);
      if (event.type === 'run.ended') return;
    }
  }
}
