/** The package as a plugin: its manifest, its schema of options, and its backend made through a host. */
import { join } from 'node:path';
import { PluginHost, throwIfFailed } from '@gvu/core';
import { backends, footprints } from '@gvu/models';
import { Runtime } from '@gvu/onnx';
import { expect, it } from 'vitest';
import { backendConfig } from '../src/options.ts';
import { fixture } from './fixtures.ts';

const root = join(import.meta.dirname, '..');

// Write it anew with `vitest run plugins/backend-janus/test/plugin.test.ts --update`.
it('publishes the schema of its options, each with a description', async () => {
  const { schema } = backendConfig;
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(join(root, 'schema/janus.json'));
  const properties = typeof schema === 'object' ? Object.entries(schema.properties ?? {}) : [];
  for (const [name, property] of properties) expect(property, name).toHaveProperty('description');
});

it('contributes a backend that opens a directory', async () => {
  await using runtime = await Runtime.create({ threads: 1 });
  await using host = new PluginHost({ projectDirectory: root });
  host.registerContributionPoint(backends);
  host.registerContributionPoint(footprints);
  throwIfFailed(await host.load([root]));
  const deps = { runtime };
  const options = { model: fixture('janus-tiny') };
  await using backend = await host.create(backends, 'janus', { options, deps });
  expect(backend).toMatchObject({ name: 'janus', policy: 'autoregressive', representations: ['features'] });
  expect(backend.sampler).toEqual({ temperature: 1, topK: 0, topP: 1, minP: 0 });
  await expect(host.create(backends, 'janus', { options: { guidance: 0 }, deps })).rejects.toMatchObject({
    code: 'GVU_PLUGIN_OPTIONS_INVALID',
  });
});
