import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runConfig } from '@gvu/rl';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freeRunFolder } from './run-name.ts';

let parent: string;
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'gvu-runs-'));
});
afterAll(async () => {
  await rm(parent, { recursive: true });
});

const config = runConfig.parse(
  { seed: 3, rewards: [{ use: 'gvu' }, { use: 'rewards/random' }] },
  { source: 'The test' },
);
const folder = (name?: string) => freeRunFolder(config, { parent, name, now: new Date('2026-05-04T23:00:00Z') });

test('a run is called by date, rewards and seed, with a number where that is taken', async () => {
  const wanted = join(parent, '2026-05-04-gvu+rewards-random-3');
  expect(folder()).toBe(wanted);
  await mkdir(wanted);
  expect(folder()).toBe(`${wanted}-2`);
});

test.each(['', '.', '..', '../other', 'a/b', 'a\\b'])('the name %j would leave the folder of runs', (name) => {
  expect(() => folder(name)).toThrow(expect.objectContaining({ code: 'GVU_CLI_USAGE' }));
});
