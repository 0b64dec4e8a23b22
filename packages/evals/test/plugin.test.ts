/** The package as a plugin: its manifest, its schemas of options, and what can be made with the files of the package alone. */
import { join } from 'node:path';
import { PluginHost, throwIfFailed } from '@gvu/core';
import { expect, it } from 'vitest';
import { benchmarks } from '../src/benchmarks/benchmark.ts';
import { judges } from '../src/benchmarks/judge.ts';
import {
  dpgConfig,
  httpJudgeConfig,
  metadataConfig,
  onnxDetectorConfig,
  onnxVqaConfig,
  popeConfig,
  t2iConfig,
  tableConfig,
} from '../src/benchmarks/options.ts';

const root = join(import.meta.dirname, '..');
const deps = undefined;

async function hostWithPlugin(): Promise<PluginHost> {
  const host = new PluginHost({ projectDirectory: root });
  host.registerContributionPoint(benchmarks);
  host.registerContributionPoint(judges);
  throwIfFailed(await host.load([root]));
  return host;
}

// Write them anew with `vitest run packages/evals/test/plugin.test.ts --update`.
it.each([
  ['metadata', metadataConfig],
  ['dpg-bench', dpgConfig],
  ['t2i-compbench', t2iConfig],
  ['pope', popeConfig],
  ['table', tableConfig],
  ['http-judge', httpJudgeConfig],
  ['onnx-detector', onnxDetectorConfig],
  ['onnx-vqa', onnxVqaConfig],
])('publishes the schema %s', async (name, { schema }) => {
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(join(root, 'schema', `${name}.json`));
  const properties = typeof schema === 'object' ? Object.entries(schema.properties ?? {}) : [];
  for (const [key, property] of properties) expect(property, key).toHaveProperty('description');
});

it.each([
  ['geneval', 553, 4],
  ['geneval-pp', 280, 1],
  ['imagine-bench', 270, 1],
  ['t2i-compbench', 2400, 10],
])('has the metadata of %s', async (id, items, images) => {
  await using host = await hostWithPlugin();
  const benchmark = await host.create(benchmarks, id, { deps });
  if (benchmark.kind !== 'generation') throw new Error('It draws nothing.');
  expect({ name: benchmark.name, items: benchmark.items.length, images: benchmark.imagesPerPrompt }).toEqual({
    name: id,
    items,
    images,
  });
  expect(new Set(benchmark.items.map((item) => item.id)).size).toBe(items);
});

it.each(['dpg-bench', 'pope', 'gqa', 'mmbench', 'seed-bench', 'docvqa', 'ocrbench', 'mmt-bench'])(
  'asks for the files of %s, and says which it did not find',
  async (id) => {
    await using host = await hostWithPlugin();
    await expect(host.create(benchmarks, id, { deps })).rejects.toMatchObject({ code: 'GVU_PLUGIN_OPTIONS_INVALID' });
    const options = { path: join(root, 'none'), ...(id === 'pope' && { images: root }) };
    await expect(host.create(benchmarks, id, { options, deps })).rejects.toThrow(/GVU_BENCHMARK_FILE.*none/);
  },
);
