/**
 * One step of training at the size of a real model: Janus-Pro-1B, 2 billion weights in bfloat16 as `writeSyntheticCheckpoint` makes them.
 * A few tokens of two drawings are sampled (the others are filled in at random: all 576 would take long and show nothing more), their
 * pictures are decoded, looked at and read, and a LoRA adapter is updated once from the whole of both.
 *
 * Each phase runs in a process of its own, because the peak of memory is the process's; a training run has the weights of all phases in
 * one. Beside what was measured stands what is counted without running anything. Prints a line of JSON for each phase, memory in MB
 * (10^6 bytes). Linux only: it reads /proc.
 *
 *     npm run bench:models [-- DIRECTORY]        the checkpoint is written there first if it is not there: 4.2 GB of disk
 */
import { fork, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createJanusBackend, type JanusOptions, janusSizes, openJanus } from '@gvu/backend-janus';
import { fillIntegers, fillUniform, randomStream } from '@gvu/core';
import { createPolicy, drawProgram } from '@gvu/models';
import {
  adamwDefaults,
  biasCorrections,
  flatSize,
  initialLora,
  loraLayout,
  type Program,
  packFlat,
  Runtime,
  tensorData,
  toNumbers,
} from '@gvu/onnx';
import { gradientProgram, grpo, grpoConfig, updateProgram } from '@gvu/rl';

const group = 2;
const sampled = 8;
const promptLength = 32;
const lora = { rank: 16, alpha: 32 };
const prompt = 'a red cube';
const stream = randomStream(1, 'bench/models');

const optionsOf = (model: string): JanusOptions => ({
  model,
  guidance: 5,
  dtype: 'float32',
  speakers: 'pro',
  sampler: { temperature: 1, topK: 0, topP: 1, minP: 0 },
});

/** Tokens of drawings, all of them random. */
function randomTokens(codes: number, decisions: number): readonly Int32Array[] {
  return Array.from({ length: group }, (_, row) => {
    const tokens = new Int32Array(decisions);
    fillIntegers(tokens, stream.at(1, row), { low: 0, high: codes });
    return tokens;
  });
}

interface Measured {
  readonly loadSeconds: number;
  readonly seconds: number;
  readonly countedMb: number;
  readonly facts: Readonly<Record<string, number | string>>;
}

/** The first tokens of a group, which goes through its prompt once. */
async function draw(model: string): Promise<Measured> {
  await using runtime = await Runtime.create({ threads: 2 });
  const sizes = janusSizes(await openJanus(model), { options: optionsOf(model), target: 'cpu' });
  const { guidance, sampler } = sizes;
  const options = { rows: group, length: promptLength };
  const program = drawProgram(sizes.model, options, { steps: sampled, sampler, guidance, prompts: 1 });
  const clock = stopwatch();
  await using session = await runtime.load(program);
  const [loadSeconds, loadedMb] = [clock(), statusMb('RssAnon')];
  const uniform = new Float32Array(sampled * group);
  fillUniform(uniform, stream.at(0));
  const shape = [2, promptLength];
  const positions = Array.from({ length: 2 * promptLength }, (_, i) => i % promptLength);
  const found = await session.run(
    {
      ids: tensorData('int64', shape, positions),
      positions: tensorData('int64', shape, positions),
      real: tensorData('float32', shape, positions.fill(1)),
      uniform: tensorData('float32', [sampled, group, 1], uniform),
      promptOf: tensorData('int64', [group], [0, 0]),
    },
    { fetch: ['tokens', 'policy'] },
  );
  const seconds = clock();
  const tokens = found.tokens ? toNumbers(found.tokens).join(' ') : '';
  return {
    loadSeconds,
    seconds,
    countedMb: countedMb([program]),
    facts: { loadedMb, tokens: sampled * group, drawn: tokens },
  };
}

/** Pictures of drawings, and how probable the prompt is given each. */
async function score(model: string): Promise<Measured> {
  // One program at a time is in memory: the networks of pictures, then the language model.
  await using runtime = await Runtime.create({ threads: 2, cacheLimit: 1 });
  await using backend = await createJanusBackend(optionsOf(model), { runtime });
  const clock = stopwatch();
  const { vq } = (await openJanus(model)).config;
  const drawings = randomTokens(vq.codes, backend.image.decisions).map((tokens, row) => ({
    prompt,
    tokens,
    randomness: stream.at(2, row),
  }));
  const pictures = await backend.decode(drawings);
  const decodeSeconds = clock();
  const traces = await backend.read(pictures.map((pixels) => ({ image: { pixels }, text: prompt })));
  const seconds = clock();
  const logProbs = traces.map(({ logProbs: all }) => all.reduce((sum, value) => sum + value, 0) / all.length);
  return {
    loadSeconds: 0,
    seconds: decodeSeconds + seconds,
    countedMb: 0,
    facts: { decodeSeconds, readSeconds: seconds, meanLogProb: logProbs.map((value) => value.toFixed(3)).join(' ') },
  };
}

/** One optimiser step from both drawings, one at a time, blocks computed again on the way back. */
async function update(model: string): Promise<Measured> {
  await using runtime = await Runtime.create({ threads: 2 });
  const sizes = janusSizes(await openJanus(model), { options: optionsOf(model), target: 'cpu' });
  const { image, model: decoder, defaultTargets: targets } = sizes;
  const steps = image.rows * image.columns;
  const ids = Array.from({ length: promptLength }, (_, i) => i);
  const policy = createPolicy(decoder, { steps, promptIds: () => ids, padding: 0 });
  const options = { ...lora, targets };
  const layout = loraLayout(decoder.modules, options);
  const { program } = gradientProgram(
    {
      policy,
      rows: 1,
      promptLength,
      temperature: 1,
      algorithm: grpo(grpoConfig.parse({}, { source: 'bench' })),
      groupSize: group,
      microBatches: group,
      offPolicy: false,
      checkpointing: true,
    },
    { layout, scale: lora.alpha / lora.rank },
  );
  const clock = stopwatch();
  await using session = await runtime.load(program, { use: 'training' });
  const [loadSeconds, loadedMb] = [clock(), statusMb('RssAnon')];
  const zeros = { dtype: 'float32', shape: [flatSize(layout)] } as const;
  const adapter = packFlat(layout, 'float32', initialLora(decoder.modules, options, 1));
  await using variables = await runtime.variables({
    adapter,
    gradient: zeros,
    firstMoment: zeros,
    secondMoment: zeros,
  });
  const drawings = randomTokens(decoder.routes.image.tokens, steps).map((tokens) => {
    return { prompt, tokens, logProbs: new Float32Array(steps), samplerLogProbs: new Float32Array(steps) };
  });
  const declared = new Set(program.inputs.map(({ name }) => name));
  for (const [row, drawing] of drawings.entries()) {
    const feeds = {
      ...policy.feeds([drawing], { promptLength }),
      advantages: tensorData('float32', [1], [row === 0 ? 1 : -1]),
      globalTokens: tensorData('float32', [], [group * steps]),
    };
    const wanted = Object.entries(feeds).filter(([name]) => declared.has(name));
    await session.run(Object.fromEntries(wanted), { variables, update: { 'next gradient': 'gradient' } });
  }
  const gradientSeconds = clock();
  const updating = updateProgram(layout, { ...adamwDefaults, maxGradientNorm: 1 });
  await using updater = await runtime.load(updating, { use: 'training' });
  const scalars = Object.entries({ learningRate: 1e-4, ...biasCorrections(1, adamwDefaults) });
  const { norm } = await updater.run<'norm'>(
    Object.fromEntries(scalars.map(([name, value]) => [name, tensorData('float32', [], [value])])),
    {
      fetch: ['norm'],
      variables,
      update: Object.fromEntries(
        ['adapter', 'firstMoment', 'secondMoment', 'gradient'].map((name) => [`next ${name}`, name]),
      ),
    },
  );
  const seconds = gradientSeconds + clock();
  const after = toNumbers((await variables.read(['adapter'])).adapter);
  const before = toNumbers(adapter);
  const moved = after.filter((value, i) => value !== before[i]).length;
  return {
    loadSeconds,
    seconds,
    countedMb: countedMb([program]) + (4 * 4 * flatSize(layout)) / 1e6,
    facts: { loadedMb, gradientSeconds, norm: Number(norm.data[0]), trainable: after.length, moved },
  };
}

const phases = { draw, score, update };
type Phase = keyof typeof phases;

function countedMb(programs: readonly Program[]): number {
  return programs.reduce((sum, { memory }) => {
    return sum + ((memory?.weightBytes ?? 0) + (memory?.activationBytes ?? 0)) / 1e6;
  }, 0);
}

/** Seconds since the last call. */
function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const seconds = (now - last) / 1000;
    last = now;
    return seconds;
  };
}

/** A line of the process's status in MB: `VmHWM` is the peak; `RssAnon` memory of its own, without pages of mapped files. */
function statusMb(key: 'VmHWM' | 'RssAnon'): number {
  const kilobytes = new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Math.round((Number(kilobytes) * 1024) / 1e6);
}

/** The phase in a child, which prints what it has measured. */
function inChild(phase: Phase, model: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, [model, phase]);
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`The phase '${phase}' ended with ${signal ?? `code ${code}`}.`));
    });
  });
}

const [, , directory = join(tmpdir(), 'gvu-janus-pro-1b'), phase] = process.argv;
if (phase === 'draw' || phase === 'score' || phase === 'update') {
  const started = performance.now();
  const { loadSeconds, seconds, countedMb: counted, facts } = await phases[phase](directory);
  const { user, system } = process.cpuUsage();
  const numbers = {
    loadSeconds: round(loadSeconds),
    seconds: round(seconds),
    wholeSeconds: round((performance.now() - started) / 1000),
    cpuSeconds: round((user + system) / 1e6),
    peakMb: statusMb('VmHWM'),
    ...(counted > 0 && { countedMb: Math.round(counted) }),
  };
  process.stdout.write(`${JSON.stringify({ phase, ...numbers, ...facts })}\n`);
} else {
  if (!existsSync(join(directory, 'config.json'))) {
    const tool = join(import.meta.dirname, '../../plugins/backend-janus/tools/synthetic-checkpoint.ts');
    const { status } = spawnSync(process.execPath, [...process.execArgv, tool, directory, '1b'], { stdio: 'inherit' });
    if (status !== 0) throw new Error('The checkpoint could not be written.');
  }
  for (const name of ['draw', 'score', 'update'] as const) await inChild(name, directory);
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
