/** The package as a plugin: its manifest, its schemas of options, and each of its contributions made with the defaults. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PluginHost, randomStream, throwIfFailed } from '@gvu/core';
import { expect, it } from 'vitest';
import { algorithms } from '../src/algorithm.ts';
import { cispoConfig } from '../src/algorithms/cispo.ts';
import { grpoConfig } from '../src/algorithms/grpo.ts';
import { reinforcePlusPlusConfig } from '../src/algorithms/reinforce-plus-plus.ts';
import { rlooConfig } from '../src/algorithms/rloo.ts';
import { sapoConfig } from '../src/algorithms/sapo.ts';
import { vespoConfig } from '../src/algorithms/vespo.ts';
import { promptFileConfig } from '../src/prompt-file.ts';
import { prompts } from '../src/prompts.ts';

const root = join(import.meta.dirname, '..');
const deps = undefined;

async function hostWithPlugin(): Promise<PluginHost> {
  const host = new PluginHost({ projectDirectory: root });
  host.registerContributionPoint(algorithms);
  host.registerContributionPoint(prompts);
  throwIfFailed(await host.load([root]));
  return host;
}

// Write them anew with `vitest run packages/rl/test/plugin.test.ts --update`.
it.each([
  ['grpo', grpoConfig],
  ['cispo', cispoConfig],
  ['sapo', sapoConfig],
  ['vespo', vespoConfig],
  ['rloo', rlooConfig],
  ['reinforce-plus-plus', reinforcePlusPlusConfig],
  ['prompt-file', promptFileConfig],
])('publishes the schema %s', async (name, { schema }) => {
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(join(root, 'schema', `${name}.json`));
  const properties = typeof schema === 'object' ? Object.entries(schema.properties ?? {}) : [];
  for (const [key, property] of properties) expect(property, key).toHaveProperty('description');
});

it('contributes algorithms that are made with their defaults', async () => {
  await using host = await hostWithPlugin();
  const ids = host.contributions('algorithms').map(({ id }) => id);
  expect(ids).toEqual(['grpo', 'cispo', 'sapo', 'vespo', 'rloo', 'reinforce-plus-plus']);
  for (const id of ids) {
    const algorithm = await host.create(algorithms, id, { deps });
    expect(algorithm.name).toBe(id === 'reinforce-plus-plus' ? 'reinforce++' : id);
    const { advantages } = algorithm.advantages({
      rewards: [{ name: 'reward', values: [0.1, 0.9], weight: 1 }],
      groupSize: 2,
      sequenceKl: [0, 0],
    });
    expect(advantages[1], id).toBeGreaterThan(0);
    expect((advantages[0] ?? 0) + (advantages[1] ?? 0), id).toBeCloseTo(0, 12);
  }
});

it('contributes prompts from a file, and says what became of its lines', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'gvu-prompts-'));
  try {
    const path = join(directory, 'prompts.txt');
    await writeFile(path, 'a cube\n\na cube\n');
    await using host = await hostWithPlugin();
    const source = await host.create(prompts, 'file', { options: { path, heldOutShare: 0 }, deps });
    expect(source.train(randomStream(1, 'test').at(0))).toEqual({ prompt: 'a cube' });
    expect(source.description).toBe('3 lines (1 empty, 1 repeated): 1 prompts to train on, 0 held out');
    await expect(host.create(prompts, 'file', { options: { path: `${path}.txt` }, deps })).rejects.toMatchObject({
      code: 'GVU_PLUGIN_CREATE_FAILED',
      cause: { code: 'GVU_PROMPTS_FILE' },
    });
  } finally {
    await rm(directory, { recursive: true });
  }
});

it('refuses wrong options, naming every problem', async () => {
  await using host = await hostWithPlugin();
  const refused = (pointers: readonly string[]) => ({
    code: 'GVU_PLUGIN_OPTIONS_INVALID',
    details: { problems: expect.arrayContaining(pointers.map((pointer) => expect.objectContaining({ pointer }))) },
  });
  const options = { beta: -1, epsilon: 'small', reduction: 'mean', loss_type: 'grpo' };
  await expect(host.create(algorithms, 'grpo', { options, deps })).rejects.toMatchObject(
    refused(['/beta', '/epsilon', '/reduction', '/loss_type']),
  );
  const file = { heldOutShare: 1, heldOutPath: '', seed: 1 };
  await expect(host.create(prompts, 'file', { options: file, deps })).rejects.toMatchObject(
    refused(['/path', '/heldOutShare', '/heldOutPath', '/seed']),
  );
});
