/**
 * X-Omni at the size of its release (Qwen2.5-7B with four layers of images at each end, a 40-block vision transformer), from a file that
 * has all sizes and no bytes of weights: every program is built for CUDA, where `compile` refuses a node without a kernel.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AutoregressiveModel,
  answerProgram,
  checkpointWeights,
  createPolicy,
  drawProgram,
  readProgram,
  visionParameters,
} from '@gvu/models';
import {
  type Checkpoint,
  compile,
  createGraph,
  type FlatEntry,
  flatSize,
  gradients,
  input,
  loraLayout,
  openSafetensors,
  output,
  type Program,
  sizeOf,
  sum,
  unflatten,
} from '@gvu/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { defaultTargets } from '../src/backend.ts';
import { xOmniConfig } from '../src/config.ts';
import { autoregressiveModel } from '../src/model.ts';
import { xOmniParameters } from '../src/routes.ts';
import { samplers } from '../src/samplers.ts';
import { projectorParameters } from '../src/siglip-vq/config.ts';
import { encodeProgram, latentsOf } from '../src/siglip-vq/programs.ts';

const config = xOmniConfig({
  model_type: 'x-omni',
  hidden_size: 3584,
  intermediate_size: 18944,
  num_hidden_layers: 36,
  num_attention_heads: 28,
  num_key_value_heads: 4,
  rms_norm_eps: 1e-6,
  rope_theta: 1e6,
  vocab_size: 152064,
});
const eyes = {
  vision: { width: 1536, blocks: 40, heads: 16, feedForward: 6144, patch: 16, grid: 128, epsilon: 1e-6 },
  codes: 16384,
  codeWidth: 2048,
};
/** What is limited is time of the processor, however long others keep it. */
const slow = { timeout: 600_000 };
const adapter = { rank: 8, alpha: 32, targets: defaultTargets };
/** 576 x 576 pixels, as the paper trains. */
const [side, steps] = [36, 36 * 36];

let folder: string;
let checkpoint: Checkpoint;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-x-omni-'));
  checkpoint = await sparse([
    ...xOmniParameters(config),
    ...visionParameters(eyes.vision),
    ...projectorParameters(eyes),
  ]);
});
afterAll(() => rm(folder, { recursive: true }));

/** A checkpoint whose weights are a hole in a file. */
async function sparse(parameters: readonly FlatEntry[]): Promise<Checkpoint> {
  let end = 0;
  const entries = parameters.map(({ name, shape }) => {
    const start = end;
    end += 2 * sizeOf(shape);
    return [name, { dtype: 'BF16', shape, data_offsets: [start, end] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const path = join(folder, 'model.safetensors');
  {
    await using file = await open(path, 'w');
    await file.write(Buffer.concat([length, header]));
    await file.truncate(8 + header.length + end);
  }
  const file = await openSafetensors(path);
  return { files: [file], tensors: file.tensors };
}

it.each(['float32', 'float16'] as const)(
  'builds all programs for CUDA in %s, in little time and memory',
  slow,
  (dtype) => {
    const target = 'cuda';
    const model = autoregressiveModel(config, checkpoint, { target, dtype });
    const length = 64 + steps;
    const builds: Readonly<Record<string, () => Program>> = {
      draw: () =>
        drawProgram(
          model,
          { rows: 2, length: 64, adapter },
          { steps, sampler: samplers.reference, guidance: undefined, prompts: 1 },
        ),
      read: () => readProgram(model, { rows: 2, length, adapter }, { textLength: 32 }),
      answer: () => answerProgram(model, { rows: 2, length }, { steps: 64 }),
      learn: () => learning(model),
      encode: () => encodeProgram(codec(target), { width: 16 * side, height: 16 * side }),
      latents: () => {
        const graph = createGraph({ name: 'latents', target });
        output('latents', latentsOf(graph, codec(target), { rows: side, columns: side }));
        return compile(graph);
      },
    };
    for (const [name, build] of Object.entries(builds)) {
      const before = process.cpuUsage();
      const program = build();
      const { user, system } = process.cpuUsage(before);
      // Of the processor's time, since others work on this machine too.
      expect((user + system) / 1e6, `${name}, seconds`).toBeLessThan(10);
      // Masks and rotary tables are in the model, the weights are not.
      expect(program.model.byteLength, name).toBeLessThan(40e6);
    }
    expect(process.memoryUsage().heapUsed).toBeLessThan(1e9);
  },
);

function codec(target: 'cuda') {
  return {
    config: eyes,
    source: (graph: Parameters<typeof checkpointWeights>[0]) => checkpointWeights(graph, checkpoint),
    target,
  };
}

/** The gradient of a pair of drawings through an adapter, layers computed again on the way back. */
function learning(model: AutoregressiveModel): Program {
  const graph = createGraph({ name: 'learn', target: 'cuda' });
  const layout = loraLayout(model.modules, adapter);
  const flat = input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] });
  const tensors = unflatten(flat, layout);
  const policy = createPolicy(model, { steps, promptIds: () => [], padding: 0 });
  const { logp, entropy } = policy.build(graph, {
    rows: 2,
    promptLength: 64,
    adapter: { tensors, scale: adapter.alpha / adapter.rank },
    temperature: 1,
    checkpointing: true,
  });
  output('gradient', gradients(sum(logp), [flat])[0] ?? logp);
  output('entropy', entropy);
  return compile(graph);
}
