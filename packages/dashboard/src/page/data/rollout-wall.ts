/** The drawings of training that were recorded, by step and group. Of very long runs only the newest are kept. */
import type { RolloutEvent } from '@gvu/rl';
import type { Logged } from './branches.ts';

export interface Rollout extends RolloutEvent {
  readonly seq: number;
}

/** About a kilobyte each. */
const mostKept = 30_000;

export class RolloutWall {
  readonly #bySteps = new Map<number, Map<string, Rollout>>();
  #count = 0;
  /** Steps of which the drawings were let go. */
  forgotten = 0;

  put(seq: number, data: RolloutEvent): void {
    const drawings = this.#bySteps.get(data.step) ?? new Map<string, Rollout>();
    this.#bySteps.set(data.step, drawings);
    const key = `${data.group} ${data.sample}`;
    const known = drawings.get(key);
    if (known && known.seq > seq) return;
    if (!known) this.#count++;
    drawings.set(key, { ...data, seq });
    if (this.#count > mostKept) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const oldest = Math.min(...this.#bySteps.keys());
    this.#count -= this.#bySteps.get(oldest)?.size ?? 0;
    this.#bySteps.delete(oldest);
    this.forgotten++;
  }

  keep(counts: (entry: Logged) => boolean): void {
    for (const [step, drawings] of this.#bySteps) {
      for (const [key, rollout] of drawings) {
        if (counts(rollout)) continue;
        drawings.delete(key);
        this.#count--;
      }
      if (drawings.size === 0) this.#bySteps.delete(step);
    }
  }

  /** That have drawings, in order. */
  get steps(): readonly number[] {
    return [...this.#bySteps.keys()].sort((a, b) => a - b);
  }

  /** The groups of a step, each with its drawings in order. */
  groups(step: number): readonly (readonly Rollout[])[] {
    const groups = new Map<number, Rollout[]>();
    for (const rollout of this.#bySteps.get(step)?.values() ?? []) {
      const group = groups.get(rollout.group) ?? [];
      groups.set(rollout.group, group);
      group.push(rollout);
    }
    return [...groups.entries()]
      .sort(([a], [b]) => a - b)
      .map(([, drawings]) => drawings.sort((a, b) => a.sample - b.sample));
  }

  /** All groups that drew this prompt, in order of their steps. */
  ofPrompt(prompt: string): readonly (readonly Rollout[])[] {
    return this.steps.flatMap((step) => this.groups(step)).filter(([first]) => first?.prompt === prompt);
  }

  clear(): void {
    this.#bySteps.clear();
    this.#count = 0;
    this.forgotten = 0;
  }
}
