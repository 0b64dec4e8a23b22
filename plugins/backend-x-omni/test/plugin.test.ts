/** The package as a plugin: its manifest, its schema of options, and its backend made through a host. */
import { join } from 'node:path';
import { PluginHost, throwIfFailed } from '@gvu/core';
import { backends, footprints } from '@gvu/models';
import { Runtime } from '@gvu/onnx';
import { expect, it } from 'vitest';
import { backendConfig } from '../src/options.ts';
import { samplers } from '../src/samplers.ts';
import { fixture } from './fixtures.ts';

const root = join(import.meta.dirname, '..');

// Write it anew with `vitest run plugins/backend-x-omni/test/plugin.test.ts --update`.
it('publishes the schema of its options, each with a description', async () => {
  const { schema } = backendConfig;
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(join(root, 'schema/x-omni.json'));
  const properties = typeof schema === 'object' ? Object.entries(schema.properties ?? {}) : [];
  for (const [name, property] of properties) expect(property, name).toHaveProperty('description');
});

it('contributes a backend that opens a directory', async () => {
  await using runtime = await Runtime.create({ threads: 1 });
  const warnings: string[] = [];
  await using host = new PluginHost({ projectDirectory: root, log: ({ message }) => warnings.push(message) });
  host.registerContributionPoint(backends);
  host.registerContributionPoint(footprints);
  throwIfFailed(await host.load([root]));
  const deps = { runtime };
  const options = { model: fixture('x-omni-tiny'), imageSize: 64 };
  await using backend = await host.create(backends, 'x-omni', { options, deps });
  expect(backend).toMatchObject({ name: 'x-omni', policy: 'autoregressive', representations: ['emitted-tokens'] });
  expect(backend.image).toEqual({ width: 64, height: 64, decisions: 16 });
  expect(backend.sampler).toEqual(samplers.reference);
  expect(warnings).toEqual([expect.stringContaining('image tokenizer'), expect.stringContaining('pixel decoder')]);
  await expect(host.create(backends, 'x-omni', { options: { sampler: 'best' }, deps })).rejects.toMatchObject({
    code: 'GVU_PLUGIN_OPTIONS_INVALID',
  });
});
