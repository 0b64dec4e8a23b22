import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventLog, type JsonValue } from '@gvu/core';
import { runConfig } from '@gvu/rl';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freeRunFolder, requireFree } from '../training/run-name.ts';
import { findRun, listRuns, requireAdapter } from './run-folder.ts';

let runs: string;
beforeEach(async () => {
  runs = await mkdtemp(join(tmpdir(), 'gvu-runs-'));
});
afterEach(async () => {
  await rm(runs, { recursive: true });
});

async function logged(name: string, events: readonly (readonly [type: string, data: JsonValue])[]): Promise<string> {
  const folder = join(runs, name);
  await using log = await EventLog.open(folder);
  for (const [type, data] of events) log.append(type, data);
  return folder;
}

const started = ['run.started', { config: { rewards: [{ use: 'gvu' }, { use: 'random' }], steps: 9 } }] as const;
const evaluation = (step: number, value: number | null) =>
  ['evaluation', { step, score: 'detector', overall: { detector: value } }] as const;

test('a run is summed up from what it logged', async () => {
  const ended = ['run.ended', { step: 2, reason: 'finished' }] as const;
  const steps = [1, 2].map((step) => ['step', { step, steps: 2 }] as const);
  await logged('b', [started, evaluation(0, 0.25), ...steps, evaluation(2, 0.5), ended]);
  await logged('a', [started, evaluation(0, null)]);
  await mkdir(join(runs, 'no-run'));
  const rewards = ['gvu', 'random'];
  expect(await listRuns(runs)).toMatchObject([
    { id: 'a', rewards, state: 'open', step: 0, steps: 9, before: undefined, after: undefined },
    { id: 'b', rewards, state: 'finished', step: 2, steps: 2, score: 'detector', before: 0.25, after: 0.5 },
  ]);
  expect(await listRuns(join(runs, 'none'))).toEqual([]);
});

test('what was logged on a branch that was given up does not count', async () => {
  const step = (n: number) => ['step', { step: n, steps: 9 }] as const;
  await logged('a', [started, step(1), step(2), step(3), ['run.resumed', { step: 1 }], step(2)]);
  expect((await listRuns(runs))[0]).toMatchObject({ step: 2, state: 'open' });
});

test('runs are found by folder and by name; a missing one, and one without checkpoints, are errors', async () => {
  const folder = await logged('a', [started]);
  expect(findRun('a', runs)).toBe(folder);
  expect(findRun(folder, 'elsewhere')).toBe(folder);
  expect(() => findRun('b', runs)).toThrow(expect.objectContaining({ code: 'GVU_CLI_RUN_MISSING' }));
  await expect(requireAdapter(folder)).rejects.toMatchObject({ code: 'GVU_CLI_CHECKPOINT' });
  await expect(requireAdapter(runs)).rejects.toMatchObject({ code: 'GVU_CLI_RUN_MISSING' });
  const checkpoint = join(folder, 'checkpoints/step-000007');
  await mkdir(join(checkpoint, 'adapter'), { recursive: true });
  await expect(requireAdapter(folder)).rejects.toMatchObject({ code: 'GVU_RUN_CHECKPOINT' });
  await writeFile(join(checkpoint, 'adapter/weights'), 'abc');
  // SHA-256 of "abc": FIPS 180-4, example.
  const sum = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  await writeFile(join(checkpoint, 'SHA256SUMS'), `${sum}  adapter/weights\n`);
  expect(await requireAdapter(folder)).toBe(join(checkpoint, 'adapter'));
});

test('a new run takes a free folder, and none that has something in it', async () => {
  const config = runConfig.parse({ rewards: [{ use: 'gvu' }, { use: 'x/y' }], seed: 4 }, { source: 'test' });
  const now = new Date('2026-03-01T12:00:00Z');
  expect(freeRunFolder(config, { parent: runs, now })).toBe(join(runs, '2026-03-01-gvu+x-y-4'));
  await mkdir(join(runs, 'first'));
  await mkdir(join(runs, 'first-2'));
  expect(freeRunFolder(config, { parent: runs, name: 'first', now })).toBe(join(runs, 'first-3'));

  const folder = await logged('b', [started]);
  await expect(requireFree(folder)).rejects.toMatchObject({ code: 'GVU_CLI_RUN_EXISTS' });
  await expect(requireFree(runs)).rejects.toMatchObject({ code: 'GVU_CLI_RUN_EXISTS' });
  await requireFree(join(runs, 'new'));
});
