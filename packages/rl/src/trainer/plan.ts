/** What a run is going to do and what memory it expects to need, from the configuration and the model, before anything runs. */
import type { JsonValue } from '@gvu/core';
import { flatSize, loraLayout, type ProgramMemory } from '@gvu/onnx';
import type { RunConfig } from '../run/config.ts';
import { batchPlan } from './batch-plan.ts';
import { trainingPrompt } from './collect.ts';
import { adapterOptions } from './policy-state.ts';
import { gradientProgram, logProbProgram } from './programs.ts';
import type { RunParts } from './train.ts';

export interface RunPlan {
  /** For people. */
  readonly lines: readonly string[];
  readonly json: JsonValue;
}

/** Builds the programs of training, but does not load them. Throws as `train` does for a configuration that cannot be run. */
export function planRun(
  { backend, algorithm, prompts }: Omit<RunParts, 'rewards' | 'judges'>,
  config: RunConfig,
): RunPlan {
  const plan = batchPlan(config, {
    wholeGroups: algorithm.needs.loss.includes('embeddings'),
    parameters: backend.parameters,
  });
  const options = adapterOptions(config, backend);
  const layout = loraLayout(backend.modules, options);
  const trainable = flatSize(layout);
  const { every, perTag, drawings } = config.evaluation;
  const heldOut = prompts.heldOut({ seed: config.evaluation.seed, perTag });
  const first = Array.from({ length: config.promptsPerStep }, (_, group) =>
    trainingPrompt(prompts, config, { step: 0, group }),
  );
  const known = [...heldOut, ...(prompts.listed ?? first)];
  const evaluations = heldOut.length === 0 ? 0 : 2 + (every > 0 ? Math.max(0, Math.ceil(config.steps / every) - 1) : 0);

  const programOptions = {
    policy: backend.trainable,
    rows: plan.rows,
    promptLength: backend.trainable.promptLength(known.map(({ prompt }) => prompt)),
    temperature: (config.sampler ?? backend.sampler).temperature,
  };
  const adapter = { layout, scale: options.alpha / options.rank };
  const { microBatches, offPolicy, checkpointing } = plan;
  const gradient = gradientProgram(
    { ...programOptions, algorithm, groupSize: config.groupSize, microBatches, offPolicy, checkpointing },
    adapter,
  ).program.memory;
  const scoring = logProbProgram(programOptions, adapter).memory;
  const optimiserBytes = 4 * trainable * 4;

  const json = {
    trainable,
    adapter: { rank: options.rank, alpha: options.alpha, targets: [...options.targets] },
    step: {
      prompts: config.promptsPerStep,
      drawings: plan.rollouts,
      decisions: plan.rollouts * backend.image.decisions,
      updates: plan.updates,
      microBatches,
      rows: plan.rows,
      checkpointing,
    },
    run: { steps: config.steps, drawings: config.steps * plan.rollouts, updates: config.steps * plan.updates },
    evaluation: { times: evaluations, prompts: heldOut.length, drawings: heldOut.length * drawings },
    memory: {
      weightBytes: gradient?.weightBytes ?? 0,
      optimiserBytes,
      gradientActivationBytes: gradient?.activationBytes ?? 0,
      logProbActivationBytes: scoring?.activationBytes ?? 0,
    },
  };
  return { lines: linesOf(json, { backend, prompts }, gradient), json };
}

interface PlanNumbers {
  readonly trainable: number;
  readonly adapter: { readonly rank: number; readonly targets: readonly string[] };
  readonly step: Readonly<
    Record<'prompts' | 'drawings' | 'decisions' | 'updates' | 'microBatches' | 'rows', number>
  > & {
    readonly checkpointing: boolean;
  };
  readonly run: Readonly<Record<'steps' | 'drawings' | 'updates', number>>;
  readonly evaluation: Readonly<Record<'times' | 'prompts' | 'drawings', number>>;
  readonly memory: Readonly<Record<'optimiserBytes' | 'gradientActivationBytes' | 'logProbActivationBytes', number>>;
}

function linesOf(
  { trainable, adapter, step, run, evaluation, memory }: PlanNumbers,
  { backend: { name, version, parameters, image }, prompts }: Pick<RunParts, 'backend' | 'prompts'>,
  gradient: ProgramMemory | undefined,
): readonly string[] {
  const passes = `${step.microBatches} micro-batch${step.microBatches === 1 ? '' : 'es'} of ${step.rows}${step.checkpointing ? ', blocks computed again on the way back' : ''}`;
  return [
    `model        ${name} ${version}: ${count(parameters)} weights, images of ${image.width} x ${image.height} in ${image.decisions} decisions`,
    `prompts      ${prompts.name}${prompts.description === undefined ? '' : `: ${prompts.description}`}`,
    `adapter      LoRA of rank ${adapter.rank} on ${adapter.targets.join(', ')}: ${count(trainable)} trainable values`,
    `a step       ${step.prompts} prompts, ${step.drawings} drawings, ${count(step.decisions)} decisions, ${step.updates} update${step.updates === 1 ? '' : 's'}, each of ${passes}`,
    `the run      ${run.steps} steps: ${count(run.drawings)} drawings, ${count(run.updates)} updates`,
    evaluation.times === 0
      ? 'evaluation   none: no prompts are held out, so the run will have no score'
      : `evaluation   ${evaluation.times} times ${evaluation.drawings} drawings of ${evaluation.prompts} held-out prompts`,
    `memory       weights ${size(gradient?.weightBytes ?? 0)}, adapter and optimiser ${size(memory.optimiserBytes)}, and at most one of: gradient ${size(memory.gradientActivationBytes)}, log-probabilities ${size(memory.logProbActivationBytes)}`,
    '             counted, not measured: ONNX Runtime takes some tens of percent more, and Node some 100 MB',
  ];
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function size(bytes: number): string {
  const [value, unit] = bytes < 1e9 ? [bytes / 1e6, 'MB'] : [bytes / 1e9, 'GB'];
  return `${value.toPrecision(3)} ${unit}`;
}
