/** What a checkpoint would occupy, counted with its weights and from its configuration alone. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createXOmniFootprint } from '../src/footprint.ts';
import { backendConfig } from '../src/options.ts';
import { tinyCheckpoint } from './tiny-checkpoint.ts';

const open = (model: string, options: object = {}) =>
  createXOmniFootprint(backendConfig.parse({ model, ...options }, { source: 'test' }), { target: 'cpu' });
const asked = { groupSize: 4, promptLength: 20, adapter: { rank: 2, alpha: 4, targets: ['q_proj'] } };

it('is the same with weights and without, and grows with the image', async () => {
  await using checkpoint = await tinyCheckpoint({ encoder: false });
  await using whole = await open(checkpoint.path, { imageSize: 64 });
  const counted = whole.programs(asked).map(({ program: { name, memory } }) => ({ name, ...memory }));
  expect(counted.map(({ name }) => name)).toEqual(['draw', 'read']);
  // The tiny model is in float32; what has no weights is counted in the dtype that its configuration names.
  await checkpoint.edit('config.json', (json) => ({ ...json, torch_dtype: 'float32' }));
  for (const name of ['model.safetensors', 'tokenizer.json', 'tokenizer_config.json'])
    await rm(join(checkpoint.path, name));
  await using alone = await open(checkpoint.path, { imageSize: 64 });
  expect([whole.hasWeights, alone.hasWeights]).toEqual([true, false]);
  expect(alone.parameters).toBe(whole.parameters);
  expect(alone.programs(asked).map(({ program: { name, memory } }) => ({ name, ...memory }))).toEqual(counted);
  await using large = await open(checkpoint.path, { imageSize: 128 });
  expect(large.image).toEqual({ width: 128, height: 128, decisions: 64 });
  const [draw] = large.programs(asked);
  expect(draw?.program.memory?.activationBytes).toBeGreaterThan(counted[0]?.activationBytes ?? Number.NaN);
  await expect(open(checkpoint.path, { imageSize: 17 })).rejects.toMatchObject({ code: 'GVU_XOMNI_CONFIG' });
});

it('counts the image tokenizer where drawings are read through pixels', async () => {
  await using checkpoint = await tinyCheckpoint({ encoder: true });
  await using through = await open(checkpoint.path, { decoder: 'decoder.onnx' });
  expect(through.programs(asked).map(({ program }) => program.name)).toEqual(['draw', 'siglip-vq encode', 'read']);
});
