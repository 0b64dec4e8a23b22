/**
 * Janus-Pro 1B and 7B as they are released, in a file that has all sizes and no bytes of weights: every program is built for CUDA, where
 * `compile` refuses a node without a kernel, in little time and memory.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AutoregressiveSpec,
  answerProgram,
  createAutoregressiveBackend,
  drawProgram,
  readProgram,
} from '@gvu/models';
import {
  compile,
  createGraph,
  flatSize,
  gradients,
  input,
  loraLayout,
  output,
  Runtime,
  sizeOf,
  sum,
  unflatten,
} from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { janusSpec } from '../src/backend.ts';
import { janusConfig } from '../src/checkpoint/config.ts';
import { janusParameters, openJanus } from '../src/checkpoint/open.ts';
import { readPreprocessing } from '../src/checkpoint/preprocessing.ts';
import { decodeProgram, seeProgram } from '../src/model/image-codec.ts';
import { backendConfig } from '../src/options.ts';
import { releases, writeCheckpointFiles } from '../tools/synthetic.ts';

/** What is limited is time of the processor, however long others keep it. */
const slow = { timeout: 600_000 };

let runtime: Runtime;
let folder: string;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
  folder = await mkdtemp(join(tmpdir(), 'gvu-janus-'));
});
afterAll(async () => {
  await runtime.dispose();
  await rm(folder, { recursive: true });
});

/** A checkpoint whose weights are a hole in a file. */
async function writeSparse(directory: string, config: Readonly<Record<string, unknown>>): Promise<void> {
  await writeCheckpointFiles(directory, { config, firstControlId: 100_000 });
  const { needed, encoder } = janusParameters(janusConfig(config));
  let end = 0;
  const entries = [...needed, ...encoder].map(({ name, shape }) => {
    const start = end;
    end += 2 * sizeOf(shape);
    return [name, { dtype: 'BF16', shape, data_offsets: [start, end] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  await using file = await open(join(directory, 'model.safetensors'), 'w');
  await file.write(Buffer.concat([length, header]));
  await file.truncate(8 + header.length + end);
}

describe.each(['1b', '7b'] as const)('%s', (size) => {
  const model = () => join(folder, size);
  beforeAll(() => writeSparse(model(), releases[size]));

  it.each(['float32', 'float16'] as const)('builds all programs for CUDA in %s', slow, async (dtype) => {
    const options = backendConfig.parse({ model: model(), dtype }, { source: 'test' });
    const target = 'cuda';
    const spec = await janusSpec(options, { runtime, target });
    const backend = createAutoregressiveBackend(spec, { runtime });
    const adapter = { rank: 8, alpha: 32, targets: backend.defaultTargets };
    const { placeholder = 0, guidance, sampler } = spec;
    const steps = backend.image.decisions;
    const shown = { rows: 8, length: 640, adapter, features: { placeholder, count: 8 * 576 } };
    const janus = await openJanus(model());
    const preprocessing = await readPreprocessing(model());
    const builds = [
      () => drawProgram(spec.model, { rows: 8, length: 64, adapter }, { steps, sampler, guidance, prompts: 1 }),
      () => readProgram(spec.model, shown, { textLength: 32 }),
      () => answerProgram(spec.model, shown, { steps: 64 }),
      () => learning(spec, adapter),
      () => decodeProgram({ janus, target }),
      () => seeProgram({ janus, preprocessing, target }),
    ];
    const programs = builds.map((build) => {
      const before = process.cpuUsage();
      const program = build();
      const { user, system } = process.cpuUsage(before);
      // Of the processor's time, since others work on this machine too.
      expect((user + system) / 1e6, `${program.name}, seconds`).toBeLessThan(10);
      expect(process.memoryUsage().heapUsed, program.name).toBeLessThan(1e9);
      return program;
    });
    // The weights are not in the models.
    for (const program of programs) expect(program.model.byteLength, program.name).toBeLessThan(20e6);
  });
});

/** The gradient of a group of 8 drawings through an adapter, blocks computed again on the way back. */
function learning(spec: AutoregressiveSpec, options: { rank: number; alpha: number; targets: readonly string[] }) {
  const { trainable, modules } = createAutoregressiveBackend(spec, { runtime });
  const graph = createGraph({ name: 'learn', target: 'cuda' });
  const layout = loraLayout(modules, options);
  const flat = input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] });
  const adapter = { tensors: unflatten(flat, layout), scale: options.alpha / options.rank };
  const { logp, entropy, embeddings } = trainable.build(graph, {
    rows: 8,
    promptLength: 64,
    adapter,
    temperature: 1,
    checkpointing: true,
  });
  output('gradient', gradients(sum(logp), [flat])[0] ?? logp);
  output('entropy', entropy);
  if (embeddings) output('embeddings', embeddings);
  // Logits of all places of the group are never there at once: 16 Mi of them are.
  const largest = Math.max(...graph.main.nodes.flatMap((node) => node.outputs.map(({ shape }) => logitsIn(shape))));
  expect(largest).toBe(2 ** 24);
  return compile(graph);
}

/** Numbers in a tensor whose rows are as long as there are image tokens. */
function logitsIn(shape: readonly number[]): number {
  return shape.at(-1) === 16_384 && shape.length === 2 ? sizeOf(shape) : 0;
}
