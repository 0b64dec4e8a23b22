import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runConfig } from '@gvu/rl';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { presetNames, readPreset } from './presets.ts';
import { resolveConfig } from './sources.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-config-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function fileOf(content: string): Promise<string> {
  const file = join(folder, 'run.json');
  await writeFile(file, content);
  return file;
}

describe('what overrides what', () => {
  test('defaults < preset < file < flags < --set', async () => {
    const file = await fileOf('\uFEFF{"groupSize": 4, "seed": 5, "steps": 6}');
    const preset = 'gvu-paper'; // groupSize 2, seed 1234, steps 12000, promptsPerStep 8
    const flags = { seed: '7', steps: '8', verbose: true };
    const config = await resolveConfig({ preset, file, flags, set: ['steps=9'] });
    expect(config).toMatchObject({ epochs: 1, promptsPerStep: 8, groupSize: 4, seed: 7, steps: 9 });
    expect(await resolveConfig({ file })).toMatchObject({ seed: 5, steps: 6, promptsPerStep: 16 });
  });

  test('nothing given: the defaults', async () => {
    expect(await resolveConfig({})).toEqual(runConfig.parse({}, { source: 'defaults' }));
  });

  test('rewards on the command line replace those of the file, and --teacher belongs to the first', async () => {
    const file = await fileOf('{"rewards": [{"use": "random", "weight": 0}]}');
    const { rewards } = await resolveConfig({
      file,
      flags: { reward: ['gvu', 'jpeg-size', '{"use":"siglip","options":{"model":"m"}}'], teacher: 'ema' },
    });
    expect(rewards).toEqual([
      { use: 'gvu', options: { teacher: 'ema' }, weight: 1, onError: 'fail' },
      { use: 'jpeg-size', options: {}, weight: 1, onError: 'fail' },
      { use: 'siglip', options: { model: 'm' }, weight: 1, onError: 'fail' },
    ]);
  });

  test('a file of prompts is found from any directory', async () => {
    const { prompts } = await resolveConfig({ flags: { prompts: 'p.txt' } });
    expect(prompts).toEqual({ use: 'file', options: { path: join(process.cwd(), 'p.txt') } });
  });
});

describe('problems', () => {
  test('are all reported at once, from all sources, with the nearest name', async () => {
    const file = await fileOf('{"stepz": 3, "optimiser": {"beta1": "high"}}');
    const error = await resolveConfig({ file, flags: { groupSize: 'many' }, set: ['seed=-1'] }).catch((e) => e);
    expect(error.code).toBe('GVU_CONFIG_INVALID');
    expect(error.details.problems.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
      '/groupSize',
      '/optimiser/beta1',
      '/seed',
      '/stepz',
    ]);
    expect(error.message).toContain('Did you mean "steps"?');
    expect(error.message).toContain(file);
  });

  test.each([
    ['not JSON', '{', 'GVU_CLI_FILE'],
    ['empty', '', 'GVU_CLI_FILE'],
    ['no object', '[]', 'GVU_CONFIG_INVALID'],
  ])('a file that is %s', async (_, content, code) => {
    await expect(resolveConfig({ file: await fileOf(content) })).rejects.toMatchObject({ code });
  });

  test('a file or a preset that is not there', async () => {
    await expect(resolveConfig({ file: join(folder, 'none.json') })).rejects.toMatchObject({ code: 'GVU_CLI_FILE' });
    await expect(resolveConfig({ preset: 'gvu-papr' })).rejects.toThrow('Did you mean "gvu-paper"?');
    await expect(resolveConfig({ preset: '../presets/gvu' })).rejects.toMatchObject({ code: 'GVU_CLI_USAGE' });
  });
});

test('every preset fits, and says what it is for', async () => {
  expect(await presetNames()).toEqual(['gvu', 'gvu-paper']);
  for (const name of await presetNames()) {
    const { description, config } = await readPreset(name);
    expect(description.length).toBeGreaterThan(40);
    expect(() => runConfig.parse(config, { source: name })).not.toThrow();
  }
});
