/**
 * Which events count. A run that went on from a checkpoint logs its steps anew: what an earlier branch logged for steps after that
 * checkpoint was given up. Channels arrive on their own, so this is judged by position in the log, not by order of arrival.
 */
export interface Logged {
  readonly seq: number;
  readonly step: number;
}

export class Branches {
  readonly #resumptions: Logged[] = [];

  /** The run went on after `step`. */
  add(resumption: Logged): void {
    this.#resumptions.push(resumption);
  }

  counts({ seq, step }: Logged): boolean {
    return !this.#resumptions.some((resumption) => resumption.seq > seq && resumption.step < step);
  }

  clear(): void {
    this.#resumptions.length = 0;
  }
}
