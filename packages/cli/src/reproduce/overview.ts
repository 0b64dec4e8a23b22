/** Where a reproduction is, in one line: runs done, those under way, and the time left by the pace so far. */
import type { TrainProgress } from '@gvu/rl';
import { duration } from '../terminal/time.ts';
import type { PlannedRun } from './plan.ts';

export class Overview {
  readonly #runs: readonly PlannedRun[];
  readonly #all: number;
  readonly #startedMs = performance.now();
  readonly #steps = new Map<PlannedRun, { first: number; now: number; reward: number | null }>();
  readonly #ended = new Set<PlannedRun>();

  /** `runs`: those that are to be done, of `all`. */
  constructor(runs: readonly PlannedRun[], all: number) {
    this.#runs = runs;
    this.#all = all;
  }

  note(run: PlannedRun, { step, metrics }: TrainProgress): void {
    const known = this.#steps.get(run);
    const reward = metrics['reward/mean'] ?? known?.reward ?? null;
    this.#steps.set(run, { first: known?.first ?? step, now: step, reward });
  }

  end(run: PlannedRun): void {
    this.#ended.add(run);
  }

  line(nowMs: number = performance.now()): string {
    const active = [...this.#steps].filter(([run]) => !this.#ended.has(run));
    const texts = active.map(([{ folder, config }, { now, reward }]) => {
      const earned = reward === null ? '' : ` reward ${reward.toFixed(3)}`;
      return `${folder} ${now}/${config.steps}${earned}`;
    });
    const done = this.#all - this.#runs.length + this.#ended.size;
    return [`${done}/${this.#all} runs`, ...texts, `${duration(this.#secondsLeft(nowMs))} left`].join('  ');
  }

  /** All steps have the same number of drawings, more or less, and so take as long. */
  #secondsLeft(nowMs: number): number {
    const made = [...this.#steps].map(([, { first, now }]) => now - first).reduce((sum, steps) => sum + steps, 0);
    const left = this.#runs
      .filter((run) => !this.#ended.has(run))
      .map((run) => run.config.steps - (this.#steps.get(run)?.now ?? 0))
      .reduce((sum, steps) => sum + steps, 0);
    return (((nowMs - this.#startedMs) / 1000) * left) / made;
  }
}
