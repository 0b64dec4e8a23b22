/**
 * What training a model would take of memory: the programs of a step are built from the checkpoint's configuration, and what they
 * occupy is counted. Nothing is loaded or run, so neither weights nor the device need be there.
 */
import { isRecord, type PluginHost } from '@gvu/core';
import { type Footprint, footprints, readModelJson } from '@gvu/models';
import { adamwDefaults, flatSize, type LoraOptions, loraLayout, type Program, type Target } from '@gvu/onnx';
import { algorithms, batchPlan, gradientProgram, runConfig, updateProgram } from '@gvu/rl';
import { cliErrors } from '../errors.ts';

export interface MemoryQuestion {
  /** Directory with a `config.json`. */
  readonly model: string;
  /** Default: the one whose checkpoints have this `model_type`. */
  readonly backend?: string | undefined;
  readonly target: Target;
  readonly dtype?: string | undefined;
  /** Side of a drawing, in pixels. */
  readonly imageSize?: number | undefined;
  readonly groupSize: number;
  readonly microBatch?: number | undefined;
  readonly rank: number;
  /** Tokens of a prompt. */
  readonly promptLength: number;
}

export interface ProgramBytes {
  readonly phase: 'rollout' | 'scoring' | 'update';
  readonly program: string;
  readonly weights: number;
  /** Of the weights, what lies in files as it is used: on the CPU programs share it. */
  readonly files: number;
  readonly atWork: number;
}

export interface ModelMemory {
  readonly backend: string;
  readonly target: Target;
  readonly hasWeights: boolean;
  readonly parameters: number;
  readonly image: Footprint['image'];
  readonly adapter: { readonly rank: number; readonly targets: readonly string[]; readonly trainable: number };
  readonly microBatch: number;
  readonly checkpointing: boolean;
  readonly programs: readonly ProgramBytes[];
  /** Adapter, gradient and both moments. */
  readonly stateBytes: number;
  /** Weights of all programs of a step, which stay loaded. */
  readonly weightBytes: number;
  /** What a whole step takes at its height, by the size of micro-batches: with gradients of so many drawings at a time. */
  readonly totals: readonly { readonly microBatch: number; readonly bytes: number }[];
}

/** Throws GVU_CLI_USAGE for a model that no backend counts, GVU_MODEL_FILE, and what the backend's footprint throws. */
export async function modelMemory(host: PluginHost, question: MemoryQuestion): Promise<ModelMemory> {
  const { model, target, groupSize, rank, promptLength } = question;
  const { id, options } = await findFootprint(host, question);
  await using footprint = await host.create(footprints, id, { options: { ...options, model }, deps: { target } });
  const { parameters, image, modules, defaultTargets, hasWeights } = footprint;
  const { microBatch: rows, ...sizes } = { microBatch: question.microBatch, promptsPerStep: 1, groupSize };
  const config = runConfig.parse(
    { ...sizes, ...(rows !== undefined && { microBatch: rows }) },
    { source: 'gvu doctor' },
  );
  const plan = batchPlan(config, { wholeGroups: false, parameters });
  const adapter: LoraOptions = { rank, alpha: 2 * rank, targets: defaultTargets };
  const layout = loraLayout(modules, adapter);
  const algorithm = await host.create(algorithms, 'grpo', { deps: undefined });
  const gradient = (microBatch: number): Program =>
    gradientProgram(
      {
        policy: footprint.trainable,
        rows: microBatch,
        promptLength,
        temperature: footprint.sampler.temperature || 1,
        algorithm,
        groupSize,
        microBatches: groupSize / microBatch,
        offPolicy: false,
        checkpointing: plan.checkpointing,
      },
      { layout, scale: adapter.alpha / rank },
    ).program;

  const working = footprint.programs({ groupSize, promptLength, adapter });
  const update = updateProgram(layout, { ...adamwDefaults, maxGradientNorm: 1 });
  const gradients = new Map(divisors(groupSize, plan.rows).map((microBatch) => [microBatch, gradient(microBatch)]));
  const chosen = gradients.get(plan.rows) ?? gradient(plan.rows);
  const programs = [
    ...working.map(({ phase, program }) => bytesOf(phase, program)),
    bytesOf('update', chosen),
    bytesOf('update', update),
  ];
  const stateBytes = 4 * 4 * flatSize(layout);
  const weightBytes = residentWeights(programs, target);
  const others = Math.max(...working.map(({ program }) => program.memory?.activationBytes ?? 0));
  return {
    backend: id,
    target,
    hasWeights,
    parameters,
    image,
    adapter: { rank, targets: adapter.targets, trainable: flatSize(layout) },
    microBatch: plan.rows,
    checkpointing: plan.checkpointing,
    programs,
    stateBytes,
    weightBytes,
    totals: [...gradients].map(([microBatch, { memory }]) => ({
      microBatch,
      bytes: weightBytes + stateBytes + Math.max(others, memory?.activationBytes ?? 0),
    })),
  };
}

/** Devices have a copy for each program; on the CPU what lies in files as it is used is there once. */
function residentWeights(programs: readonly ProgramBytes[], target: Target): number {
  const own = programs.reduce((sum, { weights, files }) => sum + weights - (target === 'cpu' ? files : 0), 0);
  return target === 'cpu' ? own + Math.max(...programs.map(({ files }) => files)) : own;
}

function bytesOf(phase: ProgramBytes['phase'], { name, memory }: Program): ProgramBytes {
  const { weightBytes = 0, fileBytes = 0, activationBytes = 0 } = memory ?? {};
  return { phase, program: name, weights: weightBytes, files: fileBytes, atWork: activationBytes };
}

/** The micro-batches that are compared: powers of two into which a group falls, and the one that is meant. */
function divisors(groupSize: number, chosen: number): readonly number[] {
  const powers = Array.from({ length: 8 }, (_, i) => 2 ** i).filter((size) => groupSize % size === 0);
  return [...new Set([...powers, chosen])].sort((a, b) => a - b);
}

/** The footprint that counts this checkpoint, and the options that are given for it. */
async function findFootprint(
  host: PluginHost,
  { model, backend, dtype, imageSize }: MemoryQuestion,
): Promise<{ id: string; options: Readonly<Record<string, unknown>> }> {
  const known = host.contributions('footprints');
  const { model_type: type } = await readModelJson(model, 'config.json');
  const found = known.find(({ id, facts: { modelTypes } }) =>
    backend === undefined ? Array.isArray(modelTypes) && modelTypes.includes(type) : id === backend,
  );
  if (!found) {
    const what =
      backend === undefined ? `checkpoints of model_type ${JSON.stringify(type)}` : `the backend '${backend}'`;
    throw cliErrors.error('GVU_CLI_USAGE', `No plugin counts what ${what} take${backend === undefined ? '' : 's'}.`, {
      hint: `There are footprints of ${known.map(({ id }) => id).join(', ') || 'no backend'}.`,
    });
  }
  const { schema } = found.options;
  const takes = isRecord(schema) && isRecord(schema.properties) ? schema.properties : {};
  const given = Object.entries({ dtype, imageSize }).filter(([, value]) => value !== undefined);
  const strange = given.find(([name]) => !Object.hasOwn(takes, name));
  if (strange) {
    throw cliErrors.error('GVU_CLI_USAGE', `The backend '${found.id}' has no option '${strange[0]}'.`, {
      hint: `\`gvu plugins show backends/${found.id}\` lists its options.`,
    });
  }
  return { id: found.id, options: Object.fromEntries(given) };
}
