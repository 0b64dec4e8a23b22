/**
 * The trainer: rollouts, pictures, rewards, advantages, update; evaluation and checkpoints on the way. Everything that happens is appended
 * to the run's event log, and nothing that reads the log can slow or stop it.
 *
 * A run goes on exactly where its newest checkpoint was written: the adapter ends bit-equal to that of a run that was never stopped,
 * on the same machine with the same number of threads. Differences from the GvU paper and its code: `algorithms/grpo.ts`,
 * `@gvu/rewards` and the presets say what each does; here, drawings of many prompts share one update.
 */
import { basename, resolve } from 'node:path';
import { EventLog, type LogEvent, readEvents } from '@gvu/core';
import type { ActiveAdapter, Backend } from '@gvu/models';
import { flatSize, type LoraAdapter, loraLayout, packFlat, type Runtime, readAdapter } from '@gvu/onnx';
import type { ReaderOf, RewardDeps, RewardEntry } from '@gvu/rewards';
import type { Algorithm } from '../algorithm.ts';
import { rlErrors } from '../errors.ts';
import type { Exam } from '../exams.ts';
import type { PromptSource } from '../prompts.ts';
import type { RunConfig } from '../run/config.ts';
import { currentEvents, type EndReason, type RunEvent, type RunStarted } from '../run/events.ts';
import { batchPlan } from './batch-plan.ts';
import { type RunProgress, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { phaseClock, stopwatch } from './clocks.ts';
import { collect } from './collect.ts';
import { finite } from './evaluate.ts';
import { createEvaluator } from './evaluator.ts';
import { freshMemory, guardStep } from './guards.ts';
import { Learner } from './learn.ts';
import { PolicyState } from './policy-state.ts';
import { readersOf } from './readers.ts';
import { appendEvent, recordRollouts } from './record.ts';
import { claimRunFolder, configJson } from './run-folder.ts';
import { learningRateAt } from './schedule.ts';
import { batchMetrics, Pace, timeMetrics } from './step-report.ts';

/** What a configuration names, ready to work. The parts belong to the caller. */
export interface RunParts {
  readonly runtime: Runtime;
  readonly backend: Backend;
  readonly prompts: PromptSource;
  readonly algorithm: Algorithm;
  readonly exam?: Exam | undefined;
  /** Made by the trainer, because rewards may read with a state of the policy that it owns. */
  readonly rewards: (deps: RewardDeps) => Promise<readonly RewardEntry[]>;
  /** Those of `evaluation.rewards`. */
  readonly judges: (deps: RewardDeps) => Promise<readonly RewardEntry[]>;
}

export interface TrainOptions {
  readonly config: RunConfig;
  /** Of the run; made if it does not exist. If it holds a run, that run is continued, and must have the same configuration. */
  readonly folder: string;
  readonly onProgress?: ((progress: TrainProgress) => void) | undefined;
  /** Ends the run after the step under way, with a checkpoint. */
  readonly signal?: AbortSignal | undefined;
  /** Is handed the adapter once, before the first step. Its values change with every update; after the run it must not be used. */
  readonly onAdapter?: ((adapter: ActiveAdapter) => void) | undefined;
  /** Is asked before every step; the step begins when what it gives is settled, so a run can be held. Aborting `signal` must settle it. */
  readonly beforeStep?: ((pause: BetweenSteps) => Promise<void> | undefined) | undefined;
}

/** The run between two steps: nothing changes while it is held. */
export interface BetweenSteps {
  /** Steps done. */
  readonly step: number;
  /** Writes a checkpoint, unless this step has one. */
  readonly checkpoint: () => Promise<void>;
}

export interface TrainProgress {
  readonly phase: 'evaluation' | 'step' | 'exam';
  /** Steps done. */
  readonly step: number;
  readonly steps: number;
  /** Of the last step, by name; see `StepEvent`. After an evaluation, the means over its categories, by reward. */
  readonly metrics: Readonly<Record<string, number | null>>;
  readonly secondsLeft: number;
}

export interface TrainResult {
  readonly folder: string;
  readonly step: number;
  readonly reason: EndReason;
  readonly message: string;
}

/**
 * Trains, or goes on with, the run in a folder. Rejects with GVU_MODEL_TEXT for a prompt in the list of the source, GVU_RUN_CONFIG, GVU_RUN_CHECKPOINT, GVU_RUN_WRITE, GVU_LOG_LOCKED, or with what a
 * part rejects with; the checkpoints are whole then, and the same call goes on from the newest.
 */
export async function train(parts: RunParts, options: TrainOptions): Promise<TrainResult> {
  const { config, folder } = options;
  // A prompt that the model cannot take is found now and not in a later step.
  parts.backend.trainable.promptLength((parts.prompts.listed ?? []).map(({ prompt }) => prompt));
  await claimRunFolder(folder, config);
  await using log = await EventLog.open(folder);
  const past = currentEvents(await allEvents(folder));
  const ended = past.findLast(({ type }) => type === 'run.ended' || type === 'run.resumed');
  if (ended?.type === 'run.ended' && ended.data.reason !== 'stopped' && ended.data.reason !== 'failed') {
    const { step, reason, message } = ended.data;
    return { folder, step, reason, message };
  }
  const checkpoint = await readCheckpoint(folder, parts.backend);
  const progress: RunProgress = checkpoint?.progress ?? { step: 0, updates: 0, elapsedSeconds: 0, guards: freshMemory };
  const start =
    config.adapter.from === undefined ? undefined : await readAdapter(config.adapter.from, parts.backend.modules);
  await using state = await PolicyState.create(parts.runtime, parts.backend, {
    config,
    saved: checkpoint?.values,
    start,
  });
  await using frozen = start && (await frozenAdapter(parts, start));

  if (past.length === 0) appendEvent(log, 'run.started', describeRun(parts, options, state));
  else {
    checkSameBackend(past, parts.backend);
    appendEvent(log, 'run.resumed', { step: progress.step });
  }
  const counted = currentEvents(await allEvents(folder));
  const run = { parts, options, log, state, past: counted, frozen: frozen?.adapter };
  try {
    return await steps(run, progress);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    appendEvent(log, 'run.ended', { step: progress.step, reason: 'failed', message, seconds: progress.elapsedSeconds });
    throw error;
  }
}

interface Run {
  readonly parts: RunParts;
  readonly options: TrainOptions;
  readonly log: EventLog;
  readonly state: PolicyState;
  /** The events that count, up to where the run goes on. */
  readonly past: readonly RunEvent[];
  readonly frozen: ActiveAdapter | undefined;
}

async function steps(run: Run, from: RunProgress): Promise<TrainResult> {
  const { parts, options, log, state } = run;
  const { config, folder, onProgress, signal } = options;
  const { backend, algorithm, prompts, runtime } = parts;
  let progress = from;
  const asked = new Set<string>();
  const allReaders = readersOf({ backend, state, start: run.frozen, updates: () => progress.updates });
  const reader: ReaderOf = (kind) => {
    asked.add(kind);
    return allReaders(kind);
  };
  const rewards = await parts.rewards({ seed: config.seed, reader, runtime });
  const changing = (['live', 'ema'] as const).find((kind) => asked.has(kind));
  const judges = await parts.judges({ seed: config.evaluation.seed, reader: allReaders, runtime });
  const plan = batchPlan(config, {
    wholeGroups: algorithm.needs.loss.includes('embeddings'),
    parameters: backend.parameters,
  });
  await using learner = new Learner({ runtime, backend, algorithm, config, plan, state });
  if (config.reference === 'ema') await state.average();
  options.onAdapter?.(state.live);
  const sampler = { ...(config.sampler ?? backend.sampler) };
  const teacher = changing && allReaders(changing);
  const evaluator = await createEvaluator({
    parts,
    options,
    log,
    past: run.past,
    adapter: state.live,
    judges,
    teacher,
    kl: (drawings) => learner.klFromBase(drawings, backend.sampler.temperature),
  });
  const clock = stopwatch();
  const pace = new Pace();
  let saved = from.step;
  let end: { reason: EndReason; message: string } | undefined;
  const save = async () => {
    if (saved === progress.step) return;
    const path = await writeCheckpoint(folder, { state, progress, backend, keep: config.checkpoint.keep });
    saved = progress.step;
    appendEvent(log, 'checkpoint', { step: progress.step, path });
    await log.flush();
  };

  for (;;) {
    if (progress.step >= config.steps) end ??= { reason: 'finished', message: `All ${config.steps} steps are done.` };
    if (signal?.aborted) end = { reason: 'stopped', message: 'It was asked to stop.' };
    try {
      if (end?.reason !== 'stopped')
        await evaluator.evaluateIfDue(progress.step, {
          last: end !== undefined,
          secondsLeft: pace.secondsLeft(config.steps - progress.step),
        });
    } catch (error) {
      if (!signal?.aborted) throw error;
      end = { reason: 'stopped', message: 'It was asked to stop.' };
    }
    progress = { ...progress, elapsedSeconds: progress.elapsedSeconds + clock() };
    const due = config.checkpoint.every > 0 && progress.step % config.checkpoint.every === 0;
    if (due || end) await save();
    if (end) break;
    const held = options.beforeStep?.({ step: progress.step, checkpoint: save });
    if (held) {
      await held;
      clock(); // time that was spent waiting is no time of the run
      if (signal?.aborted) continue;
    }

    const [stepClock, phase] = [stopwatch(), phaseClock(runtime)];
    const batch = await collect({
      config,
      backend,
      source: prompts,
      rewards,
      adapter: state.live,
      step: progress.step,
      clock: phase,
    });
    const advantages = algorithm.advantages({
      rewards: batch.scores,
      groupSize: config.groupSize,
      ...(await learner.rewardNeeds(batch.drawings)),
    });
    const step = progress.step + 1;
    // Written while the engine computes the gradient.
    const recording = recordRollouts(log, batch, { step, config, advantages, sampler });
    recording.catch(() => {});
    const learningRate = learningRateAt(config, progress.step);
    const learned = await learner.learn(batch.drawings, advantages.advantages, {
      learningRate,
      update: progress.updates,
    });
    await recording;
    const times = { ...batch.times, learn: phase() };
    const seconds = stepClock();

    const metrics = {
      ...batchMetrics(batch, advantages, config.groupSize),
      ...learned.metrics,
      learning_rate: learningRate,
      decisions_per_second: (batch.drawings.length * backend.image.decisions) / seconds,
      ...timeMetrics(times),
    };
    const { memory, findings } = guardStep(metrics, progress.guards, config);
    progress = {
      step,
      updates: progress.updates + learned.updates,
      elapsedSeconds: progress.elapsedSeconds + clock(),
      guards: memory,
    };
    pace.note(seconds);
    const shown = Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, finite(value)]));
    appendEvent(log, 'step', {
      step,
      steps: config.steps,
      seconds,
      elapsedSeconds: progress.elapsedSeconds,
      metrics: shown,
    });
    onProgress?.({
      phase: 'step',
      step,
      steps: config.steps,
      metrics: shown,
      secondsLeft: pace.secondsLeft(config.steps - step),
    });
    for (const finding of findings) {
      appendEvent(log, 'guard', { step, ...finding });
      if (finding.level === 'stop') end = { reason: 'guard', message: finding.message };
    }
    if (config.maxMinutes !== undefined && progress.elapsedSeconds >= config.maxMinutes * 60)
      end ??= { reason: 'time', message: `${config.maxMinutes} minutes are over.` };
  }
  appendEvent(log, 'run.ended', { step: progress.step, ...end, seconds: progress.elapsedSeconds });
  await log.flush();
  return { folder, step: progress.step, ...end };
}

function describeRun({ runtime, backend }: RunParts, { config, folder }: TrainOptions, state: PolicyState): RunStarted {
  const { name, version, parameters, policy, image } = backend;
  const info = runtime.info();
  return {
    run: basename(resolve(folder)),
    config: configJson(config),
    backend: { name, version, parameters, policy },
    image: { width: image.width, height: image.height, decisions: image.decisions },
    trainable: flatSize(state.layout),
    versions: {
      node: process.version,
      onnxruntime: info.version,
      device: info.device,
      threads: info.threads === 0 ? 'one per core' : String(info.threads),
    },
  };
}

/** Throws GVU_RUN_CONFIG when the run was begun with other weights: it would not be the same run. */
function checkSameBackend(past: readonly RunEvent[], { name, version }: Backend): void {
  const begun = past.find(({ type }) => type === 'run.started');
  if (begun?.type !== 'run.started' || begun.data.backend.version === version) return;
  throw rlErrors.error(
    'GVU_RUN_CONFIG',
    `The run was begun with ${name} ${begun.data.backend.version}, but the model is now ${version}.`,
    { hint: 'Restore the weights that the run was begun with, or begin a new run in another folder.' },
  );
}

/** The adapter that a run started from, kept for a frozen teacher. */
async function frozenAdapter({ runtime, backend }: RunParts, start: LoraAdapter) {
  const adapter = packFlat(loraLayout(backend.modules, start.options), 'float32', start.tensors);
  const variables = await runtime.variables({ adapter });
  return {
    adapter: { options: start.options, variables } satisfies ActiveAdapter,
    [Symbol.asyncDispose]: () => variables.dispose(),
  };
}

async function allEvents(folder: string): Promise<readonly LogEvent[]> {
  const events: LogEvent[] = [];
  for await (const event of readEvents(folder)) events.push(event);
  return events;
}
