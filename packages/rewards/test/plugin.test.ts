/** The package as a plugin: its manifest, its schemas of options, and each of its rewards made with the defaults. */
import { join } from 'node:path';
import { PluginHost, throwIfFailed } from '@gvu/core';
import { expect, it } from 'vitest';
import { gvuConfig, gvuPmiConfig } from '../src/gvu.ts';
import { jpegSizeConfig } from '../src/jpeg-size.ts';
import { rewards } from '../src/reward.ts';
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
])('publishes the schema of the options of %s', async (id, { schema }) => {
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(join(root, 'schema', `${id}.json`));
  const properties = typeof schema === 'object' ? Object.entries(schema.properties ?? {}) : [];
  for (const [name, property] of properties) expect(property, name).toHaveProperty('description');
});

it('contributes rewards that are made with their defaults', async () => {
  await using host = await hostWithRewards();
  const made = await Promise.all(host.contributions('rewards').map(({ id }) => host.create(rewards, id, { deps })));
  expect(made.map(({ name }) => name)).toEqual(['gvu', 'gvu-log', 'gvu-pmi', 'random', 'jpeg-size']);
  const { signal } = new AbortController();
  const rollout = {
    prompt: 'a red cube',
    address: { step: 0, prompt: 0, sample: 0 },
    tokens: Int32Array.of(1, 2, 3),
    pixels: { width: 8, height: 8, data: new Uint8Array(192) },
  };
  for (const reward of made) {
    const { values } = await reward.score([rollout], { signal });
    expect(values, reward.name).toHaveLength(1);
    expect(values[0], reward.name).toBeGreaterThanOrEqual(reward.range[0]);
    expect(values[0], reward.name).toBeLessThanOrEqual(reward.range[1]);
  }
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
