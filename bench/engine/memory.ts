/**
 * What training with weights in a file costs in memory: a LoRA step of a decoder of 120 M parameters, with its blocks
 * computed again for the gradients and without that, and a second session over the same file. Each measurement runs in a
 * process of its own, because the peak of memory is the process's. Prints one JSON object, with memory in MB (10^6 bytes).
 * Sizes can be given as JSON in the first argument. Linux only: it reads /proc.
 *
 * `anon` is memory of the process's own; `file` counts pages of mapped files, the weights among them, which the system shares
 * between mappings and may drop at any time. Each session maps the weights again, so `file` counts a page once for every
 * session that has touched it, and so does `rss`; `pss` counts it once.
 */
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillIntegers, fillNormal, randomStream } from '@gvu/core';
import {
  checkpointWeights,
  createDecoder,
  createModules,
  type DecoderConfig,
  decoderConfig,
  decoderModules,
  decoderParameters,
  sequenceLogits,
} from '@gvu/models';
import {
  adamw,
  adamwDefaults,
  biasCorrections,
  type Checkpoint,
  compile,
  constantData,
  createGraph,
  crossEntropy,
  flatSize,
  flatten,
  gradients,
  initialLora,
  input,
  loraLayout,
  openCheckpoint,
  output,
  type Program,
  packFlat,
  Runtime,
  reshape,
  type Session,
  sizeOf,
  type TensorData,
  tensorData,
  toNumbers,
  unflatten,
  type Variables,
  writeSafetensors,
} from '@gvu/onnx';

const defaults = {
  layers: 8,
  width: 1024,
  heads: 16,
  feedForward: 2816,
  vocabulary: 8192,
  batch: 4,
  length: 64,
  rank: 16,
  steps: 3,
  threads: 2,
};
type Sizes = typeof defaults;

const stream = randomStream(1, 'bench/memory');
const targets = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

function configOf(sizes: Sizes): DecoderConfig {
  return decoderConfig({
    model_type: 'llama',
    hidden_size: sizes.width,
    num_hidden_layers: sizes.layers,
    num_attention_heads: sizes.heads,
    intermediate_size: sizes.feedForward,
    vocab_size: sizes.vocabulary,
    rms_norm_eps: 1e-5,
  });
}

/** Random weights; all matrices are parts of one array, so that this costs no more memory than the largest. */
async function writeWeights(file: string, sizes: Sizes): Promise<void> {
  const layout = decoderParameters(configOf(sizes));
  const values = new Float32Array(Math.max(...layout.map(({ shape }) => sizeOf(shape))) + layout.length);
  fillNormal(values, stream.at(0));
  const spread = 1 / Math.sqrt(sizes.width);
  for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) * spread;
  const ones = new Float32Array(sizes.width).fill(1);
  const draw = (shape: readonly number[], i: number): TensorData => {
    const data = shape.length === 1 ? ones : values.subarray(i, i + sizeOf(shape));
    return { dtype: 'float32', shape, data };
  };
  await writeSafetensors(file, new Map(layout.map(({ name, shape }, i) => [name, draw(shape, i)])));
}

/** Loss, gradients of the adapter, and their AdamW update. */
function stepProgram(checkpoint: Checkpoint, sizes: Sizes, options: { checkpointing: boolean }): Program {
  const { batch, length, rank } = sizes;
  const config = configOf(sizes);
  const graph = createGraph({ name: `step ${batch} x ${length}` });
  const layout = loraLayout(decoderModules(config), { rank, alpha: 2 * rank, targets });
  const vector = (name: string) => input(graph, name, { dtype: 'float32', shape: [flatSize(layout)] });
  const scalar = (name: string) => input(graph, name, { dtype: 'float32', shape: [] });
  const parameters = vector('parameters');
  const tensors = unflatten(parameters, layout);
  const modules = createModules(graph, checkpointWeights(graph, checkpoint), { tensors, scale: 2 });
  const order = Array.from({ length: batch }, () => [...Array(length).keys()]).flat();
  const logits = sequenceLogits(createDecoder(modules, config, { positions: length, ...options }), {
    ids: input(graph, 'tokens', { dtype: 'int64', shape: [batch, length] }),
    positions: constantData(graph, tensorData('int64', [batch, length], order)),
  });
  const labels = reshape(input(graph, 'targets', { dtype: 'int64', shape: [batch, length] }), [-1]);
  const loss = crossEntropy(logits, labels);
  output('loss', loss);
  const state = {
    parameters,
    gradient: flatten(gradients(loss, [...tensors.values()])),
    firstMoment: vector('firstMoment'),
    secondMoment: vector('secondMoment'),
    learningRate: scalar('learningRate'),
    correction1: scalar('correction1'),
    correction2: scalar('correction2'),
  };
  for (const [name, tensor] of Object.entries(adamw(state, adamwDefaults))) output(`new ${name}`, tensor);
  return compile(graph);
}

function createState(runtime: Runtime, sizes: Sizes): Promise<Variables> {
  const options = { rank: sizes.rank, alpha: 2 * sizes.rank, targets };
  const modules = decoderModules(configOf(sizes));
  const parameters = packFlat(loraLayout(modules, options), 'float32', initialLora(modules, options, 1));
  const moment = { dtype: 'float32', shape: parameters.shape } as const;
  return runtime.variables({ parameters, firstMoment: moment, secondMoment: moment }, { transfer: true });
}

/** One update, on tokens of its own; gives the loss before it. */
async function step(
  session: Session,
  variables: Variables,
  { sizes, index }: { sizes: Sizes; index: number },
): Promise<number> {
  const { batch, length, vocabulary } = sizes;
  const ids = (at: number) => {
    const drawn = new Int32Array(batch * length);
    fillIntegers(drawn, stream.at(index, at), { low: 0, high: vocabulary });
    return tensorData('int64', [batch, length], drawn);
  };
  const scalars = Object.entries({ learningRate: 1e-4, ...biasCorrections(index, adamwDefaults) });
  const { loss } = await session.run(
    {
      tokens: ids(0),
      targets: ids(1),
      ...Object.fromEntries(scalars.map(([name, value]) => [name, tensorData('float32', [], [value])])),
    },
    {
      variables,
      update: Object.fromEntries(['parameters', 'firstMoment', 'secondMoment'].map((name) => [`new ${name}`, name])),
    },
  );
  return loss ? (toNumbers(loss)[0] ?? Number.NaN) : Number.NaN;
}

/** What the process holds now, in MB. */
function memory() {
  const read = (file: string, key: string) => {
    const line = new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/self/${file}`, 'utf8'));
    return Math.round((Number(line?.[1]) * 1024) / 1e6);
  };
  return {
    rss: read('status', 'VmRSS'),
    anon: read('status', 'RssAnon'),
    file: read('status', 'RssFile'),
    pss: read('smaps_rollup', 'Pss'),
    peak: read('status', 'VmHWM'),
  };
}

/** Steps of one session. */
async function steps(folder: string, sizes: Sizes, options: { checkpointing: boolean }) {
  await using runtime = await Runtime.create({ threads: sizes.threads });
  const started = memory();
  const program = stepProgram(await openCheckpoint(folder), sizes, options);
  await using session = await runtime.load(program, { use: 'training' });
  const loaded = memory();
  const variables = await createState(runtime, sizes);
  const milliseconds: number[] = [];
  const losses: number[] = [];
  for (let index = 1; index <= sizes.steps; index++) {
    const start = performance.now();
    losses.push(await step(session, variables, { sizes, index }));
    milliseconds.push(Math.round(performance.now() - start));
  }
  return { started, loaded, stepped: memory(), stateMb: Math.round(variables.bytes / 1e6), milliseconds, losses };
}

const measurements = {
  lora: (folder: string, sizes: Sizes) => steps(folder, sizes, { checkpointing: true }),
  loraPlain: (folder: string, sizes: Sizes) => steps(folder, sizes, { checkpointing: false }),

  /** A second session over the same file, for shorter sequences, beside one that has run. */
  async second(folder: string, sizes: Sizes) {
    await using runtime = await Runtime.create({ threads: sizes.threads });
    const checkpoint = await openCheckpoint(folder);
    const shorter = { ...sizes, length: sizes.length / 2 };
    const variables = await createState(runtime, sizes);
    const options = { checkpointing: true };
    await using first = await runtime.load(stepProgram(checkpoint, sizes, options), { use: 'training' });
    await step(first, variables, { sizes, index: 1 });
    const program = stepProgram(checkpoint, shorter, options);
    const before = memory();
    await using session = await runtime.load(program, { use: 'training' });
    const created = memory();
    await step(session, variables, { sizes: shorter, index: 2 });
    return { before, created, stepped: memory() };
  },
};
type Measurements = { [Name in keyof typeof measurements]: Awaited<ReturnType<(typeof measurements)[Name]>> };

function inChild<Name extends keyof Measurements>(
  name: Name,
  folder: string,
  sizes: Sizes,
): Promise<Measurements[Name]> {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, [JSON.stringify(sizes), name, folder]);
    child.once('message', (measured: Measurements[Name]) => resolve(measured));
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code !== 0) reject(new Error(`The measurement '${name}' ended with code ${code}.`));
    });
  });
}

const sizes: Sizes = { ...defaults, ...JSON.parse(process.argv[2] ?? '{}') };
const [name, folder] = process.argv.slice(3);
const measure = Object.entries(measurements).find(([key]) => key === name)?.[1];
if (measure && folder !== undefined) process.send?.(await measure(folder, sizes));
else {
  const directory = await mkdtemp(join(tmpdir(), 'gvu-memory-'));
  try {
    await writeWeights(join(directory, 'model.safetensors'), sizes);
    const parameters = flatSize(decoderParameters(configOf(sizes)));
    const weightsMb = (4 * parameters) / 1e6;
    const lora = await inChild('lora', directory, sizes);
    const loraPlain = await inChild('loraPlain', directory, sizes);
    const second = await inChild('second', directory, sizes);
    process.stdout.write(
      `${JSON.stringify({
        sizes,
        parameters,
        weightsMb: Math.round(weightsMb),
        lora,
        loraPlain,
        second,
        peakMb: lora.stepped.peak,
        peakPlainMb: loraPlain.stepped.peak,
        /** What creating the second session added to the process, of the size of the weights. */
        secondSessionRatio: Number(((second.created.rss - second.before.rss) / weightsMb).toFixed(3)),
      })}\n`,
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
