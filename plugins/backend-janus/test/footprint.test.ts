/** What a checkpoint would occupy, counted with its weights and from its configuration alone. */
import { cp, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FootprintDeps } from '@gvu/models';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createJanusFootprint } from '../src/footprint.ts';
import { backendConfig } from '../src/options.ts';
import { releases } from '../tools/synthetic.ts';
import { fixture } from './fixtures.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-janus-'));
});
afterAll(() => rm(folder, { recursive: true }));

const open = (model: string, { target }: FootprintDeps = { target: 'cpu' }) =>
  createJanusFootprint(backendConfig.parse({ model }, { source: 'test' }), { target });
const asked = { groupSize: 4, promptLength: 20, adapter: { rank: 2, alpha: 4, targets: ['q_proj'] } };

it('is the same with weights and without', async () => {
  await cp(join(fixture('janus-tiny'), 'config.json'), join(folder, 'config.json'));
  await using whole = await open(fixture('janus-tiny'));
  await using alone = await open(folder);
  expect([whole.hasWeights, alone.hasWeights]).toEqual([true, false]);
  expect(alone.parameters).toBe(whole.parameters);
  expect(alone.image).toEqual({ width: 8, height: 8, decisions: 16 });
  const programs = alone.programs(asked);
  expect(programs.map(({ phase, program }) => [phase, program.name])).toEqual([
    ['rollout', 'draw'],
    ['scoring', 'janus decode'],
    ['scoring', 'janus see'],
    ['scoring', 'read'],
  ]);
  const memory = programs.map(({ program }) => program.memory);
  expect(memory).toEqual(whole.programs(asked).map(({ program }) => program.memory));
  for (const bytes of memory) expect(bytes?.activationBytes).toBeGreaterThan(0);
});

it('is known of the layout of the release, which names classes in place of sizes', async () => {
  const { text_config } = releases['1b'];
  const json = {
    model_type: 'multi_modality',
    language_config: text_config,
    vision_config: { cls: 'CLIPVisionTower', params: { model_name: 'siglip_large_patch16_384' } },
    gen_vision_config: { cls: 'VQ-16', params: { image_token_size: 16_384, n_embed: 8 } },
  };
  await writeFile(join(folder, 'config.json'), JSON.stringify(json));
  await using original = await open(folder);
  await writeFile(join(folder, 'config.json'), JSON.stringify(releases['1b']));
  await using converted = await open(folder);
  expect(original.parameters).toBe(converted.parameters);
  expect(original.image).toEqual({ width: 384, height: 384, decisions: 576 });
});

it('says what is wrong with weights that are there', async () => {
  const broken = await mkdtemp(join(tmpdir(), 'gvu-janus-'));
  await cp(join(fixture('janus-tiny'), 'config.json'), join(broken, 'config.json'));
  await writeFile(join(broken, 'model.safetensors'), 'no weights');
  await expect(open(broken)).rejects.toMatchObject({ code: 'GVU_SAFETENSORS_HEADER' });
  await rm(broken, { recursive: true });
});

it('leaves nothing behind', async () => {
  await cp(join(fixture('janus-tiny'), 'config.json'), join(folder, 'config.json'));
  const footprint = await open(folder);
  const [program] = footprint.programs(asked);
  const place = program?.program.externalFolder ?? '';
  expect((await stat(join(place, 'weights'))).size).toBeGreaterThan(0);
  await footprint[Symbol.asyncDispose]();
  await expect(stat(join(place, 'weights'))).rejects.toMatchObject({ code: 'ENOENT' });
});
