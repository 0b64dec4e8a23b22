/** The package as a plugin: its manifest, its schemas of options, and each of its rewards made with the defaults. */
import { join } from 'node:path';
import { PluginHost, throwIfFailed } from '@gvu/core';
import { Runtime } from '@gvu/onnx';
import { expect, it } from 'vitest';
import { gvuConfig, gvuPmiConfig } from '../src/gvu.ts';
import { aestheticConfig } from '../src/image-level/aesthetic.ts';
import { httpConfig } from '../src/image-level/http.ts';
import { imageRewardConfig } from '../src/image-level/image-reward.ts';
import { selfVqaConfig, vqaScoreConfig, yesNoConfig } from '../src/image-level/questions.ts';
import { clipScoreConfig, hpsV2Config, pickScoreConfig, siglipConfig } from '../src/image-level/similarity.ts';
import { jpegSizeConfig } from '../src/jpeg-size.ts';
import { rewards } from '../src/reward.ts';
import { fixture } from './fixtures.ts';
import { plainReader } from './plain-reader.ts';

const root = join(import.meta.dirname, '..');
const deps = { seed: 1, reader: () => plainReader() };

async function hostWithRewards(): Promise<PluginHost> {
  const host = new PluginHost({ projectDirectory: root });
  host.registerContributionPoint(rewards);
  throwIfFailed(await host.load([root]));
  return host;
}

// Write them anew with `vitest run packages/rewards/test/plugin.test.ts --update`.
it.each([
  ['gvu', gvuConfig],
  ['gvu-log', gvuConfig],
  ['gvu-pmi', gvuPmiConfig],
  ['jpeg-size', jpegSizeConfig],
  ['clip-score', clipScoreConfig],
  ['siglip', siglipConfig],
  ['pick-score', pickScoreConfig],
  ['hps-v2', hpsV2Config],
  ['aesthetic', aestheticConfig],
  ['image-reward', imageRewardConfig],
  ['vqa-score', vqaScoreConfig],
  ['yes-no', yesNoConfig],
  ['self-vqa', selfVqaConfig],
  ['http', httpConfig],
])('publishes the schema of the options of %s', async (id, { schema }) => {
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(join(root, 'schema', `${id}.json`));
  const properties = typeof schema === 'object' ? Object.entries(schema.properties ?? {}) : [];
  for (const [name, property] of properties) expect(property, name).toHaveProperty('description');
});

it('contributes rewards that are made with their defaults', async () => {
  await using host = await hostWithRewards();
  const ids = ['gvu', 'gvu-log', 'gvu-pmi', 'random', 'jpeg-size', 'vqa-score', 'yes-no', 'self-vqa'];
  const made = await Promise.all(ids.map((id) => host.create(rewards, id, { deps })));
  expect(made.map(({ name }) => name)).toEqual(ids);
  const { signal } = new AbortController();
  const rollout = {
    prompt: 'a red cube',
    address: { step: 0, prompt: 0, sample: 0 },
    tokens: Int32Array.of(1, 2, 3),
    pixels: { width: 8, height: 8, data: new Uint8Array(192) },
    metadata: { include: [{ class: 'cube', count: 1, color: 'red' }] },
  };
  for (const reward of made) {
    const { values } = await reward.score([rollout], { signal });
    expect(values, reward.name).toHaveLength(1);
    expect(values[0], reward.name).toBeGreaterThanOrEqual(reward.range[0]);
    expect(values[0], reward.name).toBeLessThanOrEqual(reward.range[1]);
  }
});

it('contributes rewards on checkpoints that are supplied, which say what is missing', async () => {
  await using host = await hostWithRewards();
  await using runtime = await Runtime.create({ threads: 1 });
  const model = fixture('clip-tiny', 'clip');
  const options = {
    'clip-score': { model },
    siglip: { model: fixture('clip-tiny', 'siglip') },
    'pick-score': { model },
    'hps-v2': { model: fixture('clip-tiny', 'open-clip'), weights: 'HPS_v2_compressed.pt' },
    aesthetic: { model, head: fixture('clip-tiny', 'aesthetic', 'head.pth') },
    'image-reward': { model: fixture('clip-tiny', 'image-reward') },
    http: { url: 'http://127.0.0.1:9/judge' },
  };
  for (const [id, given] of Object.entries(options)) {
    const made = await host.create(rewards, id, { options: given, deps: { ...deps, runtime } });
    expect(made).toMatchObject({ name: id, inputs: expect.arrayContaining(['pixels']) });
    await expect(host.create(rewards, id, { deps: { ...deps, runtime } })).rejects.toThrow(
      /GVU_PLUGIN_OPTIONS_INVALID/,
    );
  }
  expect(host.contributions('rewards')).toHaveLength(15);
});

it('refuses wrong options, naming every problem', async () => {
  await using host = await hostWithRewards();
  const options = { teacher: 'dead', representation: 'dreams', instruction: '', alpha: 0, beta: 1 };
  const pointers = ['/teacher', '/representation', '/instruction', '/alpha', '/beta'];
  await expect(host.create(rewards, 'gvu-pmi', { options, deps })).rejects.toMatchObject({
    code: 'GVU_PLUGIN_OPTIONS_INVALID',
    details: { problems: expect.arrayContaining(pointers.map((pointer) => expect.objectContaining({ pointer }))) },
  });
  await expect(host.create(rewards, 'random', { options: { seed: 1 }, deps })).rejects.toThrow('seed');
  await expect(host.create(rewards, 'jpeg-size', { options: { quality: 0.5 }, deps })).rejects.toThrow('/quality');
});
