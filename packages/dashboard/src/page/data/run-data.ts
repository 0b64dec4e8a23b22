/** What is known of one run: its metrics, drawings, evaluations and milestones, as they arrive. Channels are opened when first looked at. */
import type { EvaluationEvent, ExamEvent, GuardEvent, RolloutEvent, RunStarted, StepEvent } from '@gvu/rl';
import type { ChannelEvent, ChannelName, Client } from '@gvu/server/client';
import { Branches, type Logged } from './branches.ts';
import { follow } from './follow.ts';
import { MetricTable } from './metric-table.ts';
import { RolloutWall } from './rollout-wall.ts';
import { Store } from './store.ts';

export interface Milestone extends Logged {
  readonly time: string;
  readonly kind: 'checkpoint' | 'guard' | 'resumed' | 'ended';
  readonly text: string;
}

export interface RunEnd {
  readonly reason: string;
  readonly message: string;
}

export class RunData extends Store {
  readonly run: string;
  readonly metrics = new MetricTable();
  readonly rollouts = new RolloutWall();
  /** In order of their steps. */
  evaluations: readonly (Logged & { readonly data: EvaluationEvent })[] = [];
  exams: readonly (Logged & { readonly data: ExamEvent })[] = [];
  milestones: readonly Milestone[] = [];
  started: RunStarted | undefined;
  end: RunEnd | undefined;
  /** The newest step event. */
  progress: Omit<StepEvent, 'metrics'> | undefined;
  /** Of the newest steps: what one takes, in seconds. */
  recentSeconds: readonly number[] = [];
  /** Of each channel that is open: how many events there were when it was opened, and how many have come. */
  readonly arrivals = new Map<ChannelName, { head: number; taken: number }>();
  problem: string | undefined;
  readonly #client: Client;
  readonly #branches = new Branches();
  readonly #open = new Set<ChannelName>();

  constructor(client: Client, run: string) {
    super();
    this.#client = client;
    this.run = run;
    this.open('lifecycle');
  }

  /** Begins to collect a channel, unless it is collected already. */
  open(channel: 'metrics' | 'rollouts' | 'evaluations' | 'lifecycle'): void {
    if (this.#open.has(channel)) return;
    this.#open.add(channel);
    const arrival = { head: 0, taken: 0 };
    this.arrivals.set(channel, arrival);
    follow(this.#client, {
      run: this.run,
      channel,
      onStart: (head) => {
        Object.assign(arrival, { head, taken: 0 });
        this.#reset(channel);
        this.changed();
      },
      onEvent: (event) => {
        arrival.taken++;
        this.#take(event);
        this.changed();
      },
    }).catch((error: unknown) => {
      this.problem = error instanceof Error ? error.message : String(error);
      this.changed();
    });
  }

  /** How much of a channel's history has arrived, from 0 to 1. */
  arrived(channel: ChannelName): number {
    const arrival = this.arrivals.get(channel);
    return arrival === undefined || arrival.head === 0 ? 1 : Math.min(1, arrival.taken / arrival.head);
  }

  #reset(channel: ChannelName): void {
    if (channel === 'metrics') {
      this.metrics.clear();
      this.progress = undefined;
    } else if (channel === 'rollouts') this.rollouts.clear();
    else if (channel === 'evaluations') [this.evaluations, this.exams] = [[], []];
    else {
      this.#branches.clear();
      this.milestones = [];
      this.started = undefined;
      this.end = undefined;
    }
  }

  #take({ seq, time, type, data }: ChannelEvent): void {
    if (typeof data !== 'object' || data === null) return;
    const step = 'step' in data && typeof data.step === 'number' ? data.step : 0;
    const at = { seq, step };
    if (type !== 'run.resumed' && type !== 'run.ended' && !this.#branches.counts(at)) return;
    switch (type) {
      // The type of an event decides which data it has; the schema of its channel says so.
      case 'step':
        this.#step(at, data as StepEvent);
        break;
      case 'rollout':
        this.rollouts.put(seq, data as RolloutEvent);
        break;
      case 'evaluation':
        this.evaluations = inOrder(this.evaluations, { ...at, data: data as EvaluationEvent });
        break;
      case 'exam':
        this.exams = inOrder(this.exams, { ...at, data: data as ExamEvent });
        break;
      case 'run.started':
        this.started = data as RunStarted;
        break;
      case 'run.resumed':
        this.#resumed(at, time);
        break;
      case 'run.ended':
        this.end = data as RunEnd;
        this.#note({ ...at, time, kind: 'ended', text: `${this.end.reason}: ${this.end.message}` });
        break;
      case 'checkpoint':
        this.#note({ ...at, time, kind: 'checkpoint', text: 'Checkpoint written.' });
        break;
      case 'guard': {
        const { guard, message } = data as GuardEvent;
        this.#note({ ...at, time, kind: 'guard', text: `Guard ${guard}: ${message}` });
        break;
      }
      default:
        break; // of a newer version
    }
  }

  #step(at: Logged, data: StepEvent): void {
    this.metrics.put(at, data.metrics);
    if (at.step < (this.progress?.step ?? 0)) return;
    this.progress = data;
    this.recentSeconds = [...this.recentSeconds.slice(-19), data.seconds];
  }

  /** What was logged for later steps counts no more. */
  #resumed(at: Logged, time: string): void {
    this.#branches.add(at);
    this.end = undefined;
    const counts = (entry: Logged) => this.#branches.counts(entry);
    this.metrics.keep(counts);
    this.rollouts.keep(counts);
    this.evaluations = this.evaluations.filter(counts);
    this.exams = this.exams.filter(counts);
    this.milestones = this.milestones.filter((one) => one.kind === 'resumed' || counts(one));
    this.#note({ ...at, time, kind: 'resumed', text: 'Went on from a checkpoint.' });
  }

  #note(milestone: Milestone): void {
    this.milestones = [...this.milestones, milestone];
  }
}

/** By step; of a step and a name that is there already, the later one. */
function inOrder<T extends Logged & { readonly data: EvaluationEvent | ExamEvent }>(
  list: readonly T[],
  one: T,
): readonly T[] {
  const nameOf = ({ data }: T) => ('name' in data ? data.name : '');
  const others = list.filter((other) => other.step !== one.step || nameOf(other) !== nameOf(one));
  return [...others, one].sort((a, b) => a.step - b.step);
}
