/**
 * The second half of a step: from drawings and advantages to the next adapter. With one update a step the drawings are of the very
 * policy that is trained, and the ratio is exactly 1; with more, their log-probabilities are computed before the first update.
 */
import type { ActiveAdapter, Backend, Drawing } from '@gvu/models';
import { biasCorrections, type Program, type Runtime, type Session, type TensorData } from '@gvu/onnx';
import type { Algorithm, RewardBatch } from '../algorithm.ts';
import type { RunConfig } from '../run/config.ts';
import { mean } from '../statistics.ts';
import type { BatchPlan } from './batch-plan.ts';
import type { PolicyState } from './policy-state.ts';
import { gradientProgram, logProbProgram, metricPrefix, updateProgram } from './programs.ts';

export interface LearnerOptions {
  readonly runtime: Runtime;
  readonly backend: Backend;
  readonly algorithm: Algorithm;
  readonly config: RunConfig;
  readonly plan: BatchPlan;
  readonly state: PolicyState;
}

export interface Learned {
  /** By name; micro-batches and updates joined. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Optimiser steps taken. */
  readonly updates: number;
}

/** Log-probabilities and entropies of drawings: B rows of T numbers. */
interface Measured {
  readonly logp: readonly Float32Array[];
  readonly entropy: readonly Float32Array[];
}

interface Loaded {
  readonly session: Session;
  readonly joins: Readonly<Record<string, 'mean' | 'max'>>;
}

export class Learner implements AsyncDisposable {
  readonly #options: LearnerOptions;
  readonly #sessions = new Map<string, Promise<Loaded>>();

  constructor(options: LearnerOptions) {
    this.#options = options;
  }

  /** What the algorithm's advantages read besides rewards. */
  async rewardNeeds(drawings: readonly Drawing[]): Promise<Pick<RewardBatch, 'sequenceKl' | 'entropy' | 'refEntropy'>> {
    const needs = new Set(this.#options.algorithm.needs.advantages);
    if (needs.size === 0) return {};
    const now = await this.#measure(drawings, this.#options.state.live);
    const reference = await this.#measure(drawings, await this.#reference());
    return {
      ...(needs.has('sequenceKl') && { sequenceKl: now.logp.map((row, b) => total(row) - total(reference.logp[b])) }),
      ...(needs.has('entropy') && { entropy: now.entropy.map((row) => mean([...row])) }),
      ...(needs.has('refEntropy') && { refEntropy: reference.entropy.map((row) => mean([...row])) }),
    };
  }

  /**
   * KL divergence of the policy from the model without its adapter, in nats a decision, estimated from drawings of the policy (k3 of
   * `../kl.ts`); NaN for no drawings. `temperature` is the one that they were drawn with.
   */
  async klFromBase(drawings: readonly Drawing[], temperature: number): Promise<number> {
    const promptLength = this.#options.backend.trainable.promptLength(drawings.map(({ prompt }) => prompt));
    const now = await this.#measure(drawings, this.#options.state.live, { temperature, promptLength });
    const base = await this.#measure(drawings, undefined, { temperature, promptLength });
    const estimates = drawings.flatMap(({ free }, row) => {
      const [policy = new Float32Array(), reference = new Float32Array()] = [now.logp[row], base.logp[row]];
      return Array.from(policy, (logp, t) => {
        const d = (reference[t] ?? Number.NaN) - logp;
        return free && free[t] === 0 ? [] : [Math.expm1(d) - d];
      }).flat();
    });
    return estimates.reduce((sum, value) => sum + value, 0) / estimates.length;
  }

  /** `update` counts the optimiser steps of the run before this one. */
  async learn(
    drawings: readonly Drawing[],
    advantages: readonly number[],
    { learningRate, update }: { learningRate: number; update: number },
  ): Promise<Learned> {
    const { algorithm, config, plan, state } = this.#options;
    const reference = algorithm.needs.loss.includes('refLogp')
      ? (await this.#measure(drawings, await this.#reference())).logp
      : undefined;
    const old = plan.offPolicy ? (await this.#measure(drawings, state.live)).logp : undefined;
    const metrics = new MetricSet();
    for (let pass = 0; pass < plan.updates; pass++) {
      const from = (pass % config.updatesPerStep) * plan.perUpdate;
      const globalTokens = freeDecisions(drawings.slice(from, from + plan.perUpdate));
      for (let micro = 0; micro < plan.microBatches; micro++) {
        const range = [from + micro * plan.rows, from + (micro + 1) * plan.rows] as const;
        const logp = await this.#addGradient(drawings.slice(...range), metrics, {
          advantages: { dtype: 'float32', shape: [plan.rows], data: Float32Array.from(advantages.slice(...range)) },
          oldLogp: old && table(old.slice(...range)),
          refLogp: reference && table(reference.slice(...range)),
          globalTokens: scalar(globalTokens),
        });
        // Before the first update, what was drawn and what is learned from must be the same policy.
        if (pass === 0) metrics.note('sampler/mismatch', largestDifference(drawings.slice(...range), logp), 'max');
      }
      metrics.note('gradient/norm', await this.#update(update + pass + 1, learningRate), 'mean');
      await state.follow(config.emaDecay);
    }
    return { metrics: metrics.joined(), updates: plan.updates };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const loaded = await Promise.allSettled(this.#sessions.values());
    for (const result of loaded) if (result.status === 'fulfilled') await result.value.session.dispose();
  }

  /** Undefined = the model without its adapter. */
  async #reference(): Promise<ActiveAdapter | undefined> {
    return this.#options.config.reference === 'ema' ? await this.#options.state.average() : undefined;
  }

  async #measure(
    drawings: readonly Drawing[],
    adapter: ActiveAdapter | undefined,
    sampled: { readonly temperature?: number; readonly promptLength?: number } = {},
  ): Promise<Measured> {
    const { plan, state } = this.#options;
    const logp: Float32Array[] = [];
    const entropy: Float32Array[] = [];
    for (let from = 0; from < drawings.length; from += plan.rows) {
      const part = drawings.slice(from, from + plan.rows);
      const options = { ...this.#programOptions(part), ...sampled };
      const { rows, promptLength, temperature } = options;
      const { session } = await this.#session(
        `log-probabilities ${adapter !== undefined} ${rows} ${promptLength} ${temperature}`,
        () => ({
          program: logProbProgram(options, adapter && state.programLayout),
          joins: {},
        }),
      );
      const feeds = this.#feeds(session, part, options.promptLength);
      const out = await session.run<'logp' | 'entropy'>(feeds, adapter ? { variables: adapter.variables } : {});
      logp.push(...rowsOf(out.logp));
      entropy.push(...rowsOf(out.entropy));
    }
    return { logp, entropy };
  }

  /** Adds the gradient of a micro-batch to the variable, and returns the log-probabilities that it met. */
  async #addGradient(
    drawings: readonly Drawing[],
    metrics: MetricSet,
    terms: Readonly<Record<string, TensorData | undefined>>,
  ): Promise<readonly Float32Array[]> {
    const { algorithm, config, plan, state } = this.#options;
    const options = this.#programOptions(drawings);
    const { session, joins } = await this.#session(`gradient ${options.promptLength}`, () =>
      gradientProgram(
        {
          ...options,
          algorithm,
          groupSize: config.groupSize,
          microBatches: plan.microBatches,
          offPolicy: plan.offPolicy,
          checkpointing: plan.checkpointing,
        },
        state.programLayout,
      ),
    );
    const outputs = await session.run<string>(this.#feeds(session, drawings, options.promptLength, terms), {
      variables: state.variables,
      update: { 'next gradient': 'gradient' },
    });
    for (const [name, { data }] of Object.entries(outputs)) {
      if (!name.startsWith(metricPrefix)) continue;
      const metric = name.slice(metricPrefix.length);
      metrics.note(metric, Number(data[0]), joins[metric] ?? 'mean');
    }
    return rowsOf(outputs.logp);
  }

  /** One optimiser step, the `count`-th of the run; gives the norm of the gradient before it was clipped. */
  async #update(count: number, learningRate: number): Promise<number> {
    const { config, state } = this.#options;
    const { session } = await this.#session('update', () => ({
      program: updateProgram(state.layout, config.optimiser),
      joins: {},
    }));
    const { correction1, correction2 } = biasCorrections(count, config.optimiser);
    const { norm } = await session.run<'norm'>(
      {
        learningRate: scalar(learningRate),
        correction1: scalar(correction1),
        correction2: scalar(correction2),
      },
      {
        fetch: ['norm'],
        variables: state.variables,
        update: {
          'next adapter': 'adapter',
          'next firstMoment': 'firstMoment',
          'next secondMoment': 'secondMoment',
          'next gradient': 'gradient',
        },
      },
    );
    return Number(norm.data[0]);
  }

  #programOptions(drawings: readonly Drawing[]) {
    const { backend, config } = this.#options;
    return {
      policy: backend.trainable,
      rows: drawings.length,
      promptLength: backend.trainable.promptLength(drawings.map(({ prompt }) => prompt)),
      temperature: (config.sampler ?? backend.sampler).temperature,
    };
  }

  /** Those that the program asks for: programs leave out what they do not read. */
  #feeds(
    { program }: Session,
    drawings: readonly Drawing[],
    promptLength: number,
    terms: Readonly<Record<string, TensorData | undefined>> = {},
  ): Record<string, TensorData> {
    const declared = new Set(program.inputs.map(({ name }) => name));
    const all = { ...this.#options.backend.trainable.feeds(drawings, { promptLength }), ...terms };
    return Object.fromEntries(
      Object.entries(all).flatMap(([name, value]) => (value && declared.has(name) ? [[name, value]] : [])),
    );
  }

  #session(key: string, build: () => { program: Program; joins: Loaded['joins'] }): Promise<Loaded> {
    const known = this.#sessions.get(key);
    if (known) return known;
    const { program, joins } = build();
    const loading = this.#options.runtime.load(program, { use: 'training' }).then((session) => ({ session, joins }));
    this.#sessions.set(key, loading);
    return loading;
  }
}

/** Values of metrics over micro-batches and updates, until they are joined. */
class MetricSet {
  readonly #entries = new Map<string, { readonly values: number[]; readonly join: 'mean' | 'max' }>();

  note(name: string, value: number, join: 'mean' | 'max'): void {
    const entry = this.#entries.get(name) ?? { values: [], join };
    entry.values.push(value);
    this.#entries.set(name, entry);
  }

  joined(): Record<string, number> {
    return Object.fromEntries(
      [...this.#entries].map(([name, { values, join }]) => [
        name,
        join === 'max' ? Math.max(...values) : values.reduce((sum, value) => sum + value, 0) / values.length,
      ]),
    );
  }
}

function freeDecisions(drawings: readonly Drawing[]): number {
  return drawings.reduce((sum, { logProbs, free }) => sum + (free ? total(free) : logProbs.length), 0);
}

/** Over all decisions that were free, in nats. */
function largestDifference(drawings: readonly Drawing[], logp: readonly Float32Array[]): number {
  let largest = 0;
  drawings.forEach(({ logProbs, free }, row) => {
    logProbs.forEach((drawn, t) => {
      if (free && free[t] === 0) return;
      const apart = Math.abs(drawn - (logp[row]?.[t] ?? Number.NaN));
      // A NaN must not be lost in a comparison.
      if (!(apart <= largest)) largest = apart;
    });
  });
  return largest;
}

function total(values: ArrayLike<number> = []): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ?? 0;
  return sum;
}

/** Rows [B][T] as one tensor [B, T]. */
function table(rows: readonly Float32Array[]): TensorData {
  const width = rows[0]?.length ?? 0;
  const data = new Float32Array(rows.length * width);
  rows.forEach((row, b) => {
    data.set(row, b * width);
  });
  return { dtype: 'float32', shape: [rows.length, width], data };
}

function rowsOf(tensor: TensorData | undefined): readonly Float32Array[] {
  if (tensor?.dtype !== 'float32') throw new TypeError('unreachable: the program gives float32');
  const [rows = 0, width = 0] = tensor.shape;
  return Array.from({ length: rows }, (_, b) => tensor.data.subarray(b * width, (b + 1) * width));
}

function scalar(value: number): TensorData {
  return { dtype: 'float32', shape: [], data: Float32Array.of(value) };
}
