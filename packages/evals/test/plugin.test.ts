/** The package as a plugin: its manifest, its schemas of options, and what can be made with the files of the package alone. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
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

/** The first 16 digits of the SHA-256 of the files that were published, at the commits that `data/README.md` names. */
const published: Readonly<Record<string, string>> = {
  'geneval/evaluation_metadata.jsonl': '5c48e0813e812e3c',
  'geneval-pp/Geneval++.jsonl': '9c1216a3f6fe2d99',
  'imagine-bench/Imagine.jsonl': 'e22e33dd5e2722b9',
  't2i-compbench/3d_spatial_val.txt': 'c9953597315f36a5',
  't2i-compbench/color_val.txt': '1634259756dbc77d',
  't2i-compbench/complex_val.txt': '1b808018b8d9916d',
  't2i-compbench/non_spatial_val.txt': '04c56cc9ac441dc9',
  't2i-compbench/numeracy_val.txt': 'dad8df141604b70b',
  't2i-compbench/shape_val.txt': '37e1a276906c7ea9',
  't2i-compbench/spatial_val.txt': '8707a1d7e42ce300',
  't2i-compbench/texture_val.txt': 'fbb5363515b4a280',
};

it('has the files as they were published, to the byte', async () => {
  for (const [path, digest] of Object.entries(published)) {
    const hash = createHash('sha256').update(await readFile(join(root, 'data', path)));
    expect(hash.digest('hex').slice(0, 16), path).toBe(digest);
  }
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
