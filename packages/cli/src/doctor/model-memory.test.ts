import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PluginHost } from '@gvu/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openHost } from '../host.ts';
import { fitOf, memoryText } from './memory-text.ts';
import { type MemoryQuestion, type ModelMemory, modelMemory } from './model-memory.ts';

let host: PluginHost;
let model: string;
let half: ModelMemory;
beforeAll(async () => {
  host = await openHost();
  model = await mkdtemp(join(tmpdir(), 'gvu-doctor-'));
  await writeFile(join(model, 'config.json'), JSON.stringify(janusPro1b));
  half = await ask();
}, 600_000);
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await rm(model, { recursive: true });
});

/** The sizes of Janus-Pro-1B; there are no weights, and no tokenizer. */
const janusPro1b = {
  model_type: 'janus',
  text_config: {
    model_type: 'llama',
    vocab_size: 102_400,
    hidden_size: 2048,
    intermediate_size: 5632,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    num_key_value_heads: 16,
    max_position_embeddings: 16_384,
  },
  vision_config: { model_type: 'janus_vision_model' },
  vq_config: { model_type: 'janus_vqgan', num_patches: 24 },
};

const ask = (changes: Partial<MemoryQuestion> = {}) =>
  modelMemory(host, { model, target: 'cuda', dtype: 'float16', groupSize: 8, rank: 16, promptLength: 64, ...changes });
const named = ({ programs }: ModelMemory, name: string) => {
  const found = programs.find(({ program }) => program === name);
  if (!found) throw new Error(`there is no program '${name}'`);
  return found;
};

/** Weights of the decoder: attention, feed-forward, two norms; then the last norm. */
const layers = 24 * (4 * 2048 ** 2 + 3 * 2048 * 5632 + 2 * 2048) + 2048;
const vocabulary = 102_400 * 2048;

describe('a LoRA step of Janus-Pro-1B, 8 drawings of 576 tokens', () => {
  test('keeps within 24 GB, in half precision on a device', () => {
    const memory = half;
    expect(memory).toMatchObject({ backend: 'janus', hasWeights: false, microBatch: 2, checkpointing: true });
    expect(memory.totals.map(({ microBatch }) => microBatch)).toEqual([1, 2, 4, 8]);
    for (const { bytes } of memory.totals) expect(fitOf(bytes, 24e9)).toBe('fits');

    // Drawing: words' embedding and all layers in two bytes, and keys and values of 16 rows, which are there twice when they grow.
    const draw = named(memory, 'draw');
    expect(draw.weights).toBeGreaterThan(2 * (layers + vocabulary));
    expect(draw.weights).toBeLessThan(1.05 * 2 * (layers + vocabulary));
    const caches = 24 * 2 * 16 * 2048 * (64 + 576) * 2;
    expect(draw.atWork).toBeGreaterThan(1.99 * caches);
    expect(draw.atWork).toBeLessThan(1.2 * 2 * caches);
    // Reading needs the head of words too.
    expect(named(memory, 'read').weights).toBeGreaterThan(2 * (layers + 2 * vocabulary));
    expect(memory.stateBytes).toBe(16 * memory.adapter.trainable);
    expect(memory.adapter.trainable).toBe(24 * 16 * (4 * 2 * 2048 + 3 * (2048 + 5632)));
    const [weights, state] = [memory.programs.reduce((sum, program) => sum + program.weights, 0), memory.stateBytes];
    expect(memory.weightBytes).toBe(weights);
    expect(memory.totals[1]?.bytes).toBe(weights + state + draw.atWork);
  });

  test('takes twice of it in single precision, with a copy of bfloat16 weights for each program', {
    timeout: 600_000,
  }, async () => {
    const single = await ask({ dtype: 'float32', target: 'cpu' });
    const ratio = named(single, 'draw').weights / named(half, 'draw').weights;
    expect(ratio).toBeGreaterThan(1.95);
    expect(ratio).toBeLessThan(2.05);
    expect(single.weightBytes).toBe(single.programs.reduce((sum, program) => sum + program.weights, 0));
    const text = memoryText(single, { width: 100, memoryBytes: 16e9, groupSize: 8 });
    expect(text).toMatch(/micro-batch 1 +2\d\.\d GB +does not fit/);
    expect(text).toContain('not there: sizes of config.json');
  });
});

test('a checkpoint that nobody counts, and options that its backend does not have', async () => {
  const usage = (hint: string) =>
    expect.objectContaining({ code: 'GVU_CLI_USAGE', hint: expect.stringContaining(hint) });
  await expect(ask({ backend: 'shapes' })).rejects.toEqual(usage('x-omni, janus'));
  await expect(ask({ imageSize: 512 })).rejects.toEqual(usage('gvu plugins show backends/janus'));
  await expect(ask({ model: join(model, 'none') })).rejects.toMatchObject({ code: 'GVU_MODEL_FILE' });
  const other = await mkdtemp(join(tmpdir(), 'gvu-doctor-'));
  await writeFile(join(other, 'config.json'), '{"model_type": "bert"}');
  await expect(ask({ model: other })).rejects.toThrow('No plugin counts what checkpoints of model_type "bert" take.');
  await rm(other, { recursive: true });
});

test('what fits leaves 30 % for what is not counted', () => {
  expect([7.6e9, 7.8e9, 10e9, 10.1e9].map((bytes) => fitOf(bytes, 10e9))).toEqual([
    'fits',
    'tight',
    'tight',
    'too-large',
  ]);
});
