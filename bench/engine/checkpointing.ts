/**
 * What gradient checkpointing saves and costs: loss and all gradients of a decoder over long sequences, once keeping every activation
 * and once computing each block again. Each variant runs in a process of its own, because the peak of memory is the process's.
 * Prints one JSON object. Sizes can be given as JSON in the first argument.
 */
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fillIntegers, fillNormal, randomStream } from '@gvu/core';
import { createDecoder, createModules, decoderConfig, decoderParameters, sequenceLogits } from '@gvu/models';
import {
  compile,
  constantData,
  createGraph,
  crossEntropy,
  gradients,
  input,
  output,
  Runtime,
  reshape,
  sizeOf,
  type TensorData,
  tensorBytes,
  tensorData,
} from '@gvu/onnx';

const defaults = {
  layers: 12,
  width: 256,
  heads: 8,
  feedForward: 704,
  vocabulary: 1024,
  batch: 4,
  length: 512,
  runs: 5,
  rounds: 3,
};
type Sizes = typeof defaults;

interface Measured {
  readonly milliseconds: readonly number[];
  /** Of all threads; a busy machine disturbs it less. */
  readonly cpuMilliseconds: readonly number[];
  /** Of the process: once the model and its inputs are there, and at most. */
  readonly readyMb: number;
  readonly peakMb: number;
  /** SHA-256 of loss and gradients. */
  readonly digest: string;
}

async function measure(sizes: Sizes, checkpointing: boolean): Promise<Measured> {
  const { batch, length } = sizes;
  const config = decoderConfig({
    model_type: 'llama',
    hidden_size: sizes.width,
    num_hidden_layers: sizes.layers,
    num_attention_heads: sizes.heads,
    intermediate_size: sizes.feedForward,
    vocab_size: sizes.vocabulary,
    rms_norm_eps: 1e-5,
  });
  const layout = decoderParameters(config);
  const graph = createGraph({ name: checkpointing ? 'checkpointed' : 'plain' });
  const parameters = new Map(layout.map(({ name, shape }) => [name, input(graph, name, { dtype: 'float32', shape })]));
  const modules = createModules(graph, (name) => parameters.get(name) ?? missing(name));
  const decoder = createDecoder(modules, config, { positions: length, checkpointing });
  const order = Array.from({ length: batch }, () => [...Array(length).keys()]).flat();
  const logits = sequenceLogits(decoder, {
    ids: input(graph, 'tokens', { dtype: 'int64', shape: [batch, length] }),
    positions: constantData(graph, tensorData('int64', [batch, length], order)),
  });
  const loss = crossEntropy(logits, reshape(input(graph, 'targets', { dtype: 'int64', shape: [batch, length] }), [-1]));
  output('loss', loss);
  for (const [i, gradient] of gradients(loss, [...parameters.values()]).entries()) output(`gradient_${i}`, gradient);

  await using runtime = await Runtime.create({ threads: 2 });
  await using session = await runtime.load(compile(graph), { use: 'training' });
  const stream = randomStream(1, 'bench/checkpointing');
  const tokens = (at: number) => {
    const ids = new Int32Array(batch * length);
    fillIntegers(ids, stream.at(at), { low: 0, high: sizes.vocabulary });
    return tensorData('int64', [batch, length], ids);
  };
  const feeds = Object.fromEntries([
    ...layout.map(({ name, shape }, i) => [name, draw(shape, stream.at(2 + i))] as const),
    ['tokens', tokens(0)],
    ['targets', tokens(1)],
  ]);
  const readyMb = process.memoryUsage.rss() / 2 ** 20;
  const milliseconds: number[] = [];
  const cpuMilliseconds: number[] = [];
  const hash = createHash('sha256');
  for (let run = 0; run < sizes.runs; run++) {
    const [start, cpu] = [performance.now(), process.cpuUsage()];
    const results: Readonly<Record<string, TensorData>> = await session.run(feeds);
    milliseconds.push(performance.now() - start);
    const { user, system } = process.cpuUsage(cpu);
    cpuMilliseconds.push((user + system) / 1000);
    if (run === 0) for (const result of Object.values(results)) hash.update(tensorBytes(result));
  }
  return {
    milliseconds,
    cpuMilliseconds,
    readyMb,
    peakMb: process.resourceUsage().maxRSS / 2 ** 10,
    digest: hash.digest('hex'),
  };
}

function draw(shape: readonly number[], address: Parameters<typeof fillNormal>[1]): TensorData {
  const values = new Float32Array(sizeOf(shape));
  if (shape.length === 1) return tensorData('float32', shape, values.fill(1));
  fillNormal(values, address);
  const spread = 1 / Math.sqrt(shape[1] ?? 1);
  return { dtype: 'float32', shape, data: values.map((value) => value * spread) };
}

function missing(name: string): never {
  throw new Error(`No parameter '${name}'.`);
}

function inChild(sizes: Sizes, checkpointing: boolean): Promise<Measured> {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, [JSON.stringify(sizes), checkpointing ? 'checkpointed' : 'plain']);
    child.once('message', (measured: Measured) => resolve(measured));
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code !== 0) reject(new Error(`The measurement ended with code ${code}.`));
    });
  });
}

function together(rounds: readonly Measured[]): Measured {
  return {
    milliseconds: rounds.flatMap(({ milliseconds }) => milliseconds),
    cpuMilliseconds: rounds.flatMap(({ cpuMilliseconds }) => cpuMilliseconds),
    readyMb: Math.min(...rounds.map(({ readyMb }) => readyMb)),
    peakMb: Math.max(...rounds.map(({ peakMb }) => peakMb)),
    digest: [...new Set(rounds.map(({ digest }) => digest))].join(),
  };
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const round = (value: number, digits = 0) => Number(value.toFixed(digits));

const sizes: Sizes = { ...defaults, ...JSON.parse(process.argv[2] ?? '{}') };
const variant = process.argv[3];
if (variant) process.send?.(await measure(sizes, variant === 'checkpointed'));
else {
  // In turn, so that a slow phase of the machine falls on both.
  const measured: { plain: Measured; checkpointed: Measured }[] = [];
  for (let round = 0; round < sizes.rounds; round++)
    measured.push({ plain: await inChild(sizes, false), checkpointed: await inChild(sizes, true) });
  const plain = together(measured.map((one) => one.plain));
  const checkpointed = together(measured.map((one) => one.checkpointed));
  const report = ({ milliseconds, cpuMilliseconds, readyMb, peakMb }: Measured) => ({
    milliseconds: round(median(milliseconds)),
    fastestMilliseconds: round(Math.min(...milliseconds)),
    cpuMilliseconds: round(Math.min(...cpuMilliseconds)),
    readyMb: round(readyMb),
    peakMb: round(peakMb),
  });
  const grown = ({ readyMb, peakMb }: Measured) => peakMb - readyMb;
  process.stdout.write(
    `${JSON.stringify({
      sizes,
      plain: report(plain),
      checkpointed: report(checkpointed),
      /** Of what the runs added to the process, activations, gradients and results. */
      memoryRatio: round(grown(checkpointed) / grown(plain), 3),
      timeRatio: round(Math.min(...checkpointed.milliseconds) / Math.min(...plain.milliseconds), 3),
      cpuRatio: round(Math.min(...checkpointed.cpuMilliseconds) / Math.min(...plain.cpuMilliseconds), 3),
      equal: plain.digest === checkpointed.digest,
    })}\n`,
  );
}
