import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventLog } from '@gvu/core';
import { expect, test } from 'vitest';
import { evaluationEvent, RunFolder, rolloutEvent, started, stepEvent } from '../test/run-folder.ts';
import { progressOf, readRun } from './run-record.ts';

test('a branch that was given up does not count', async () => {
  await using run = await RunFolder.make();
  run.append('run.started', started);
  run.append('evaluation', evaluationEvent(0, { a: [0] }));
  for (const step of [1, 2, 3]) run.append('step', stepEvent(step, { kl: step }));
  run.append('rollout', rolloutEvent({ step: 3, prompt: 'given up' }));
  run.append('run.ended', { step: 2, reason: 'stopped', message: 'stopped', seconds: 5 });
  run.append('run.resumed', { step: 1 });
  run.append('run.started', { ...started, run: 'again' });
  run.append('evaluation', evaluationEvent(0, { a: [1] }));
  run.append('step', stepEvent(2, { kl: 20 }));
  run.append('rollout', rolloutEvent({ step: 2, prompt: 'kept' }));

  const record = await readRun(run.path);
  expect(record.started.run).toBe('test-run');
  expect(record.steps.map(({ step, metrics }) => [step, metrics.kl])).toEqual([
    [1, 1],
    [2, 20],
  ]);
  expect(record.rollouts.map(({ prompt }) => prompt)).toEqual(['kept']);
  expect(record.evaluations).toEqual([evaluationEvent(0, { a: [1] })]);
  expect(record.ended).toBeNull();
  expect(progressOf(record)).toEqual({ step: 2, steps: 4, seconds: 3 });
});

test('NaN is null in the log, and read as such', async () => {
  await using run = await RunFolder.make();
  run.append('run.started', started);
  run.append('step', stepEvent(1, { kl: Number.NaN, entropy: Number.POSITIVE_INFINITY }));
  expect((await readRun(run.path)).steps[0]?.metrics).toEqual({ kl: null, entropy: null });
});

test('what holds no run is named, with the reason', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gvu-evals-'));
  try {
    for (const [name, prepare] of [
      ['missing', async () => undefined],
      ['empty', async (path: string) => void (await mkdir(path))],
      ['file', async (path: string) => await writeFile(path, 'no folder')],
      ['other-log', async (path: string) => await (await EventLog.open(path))[Symbol.asyncDispose]()],
    ] as const) {
      const path = join(folder, name);
      await prepare(path);
      await expect(readRun(path), name).rejects.toMatchObject({ code: 'GVU_REPORT_RUN' });
    }
    const damaged = join(folder, 'other-log');
    await appendFile(
      join(damaged, 'events.jsonl'),
      `damage\n${JSON.stringify({ seq: 2, time: '', type: 'step', data: null })}\n`,
    );
    await expect(readRun(damaged)).rejects.toMatchObject({ code: 'GVU_LOG_CORRUPT' });
  } finally {
    await rm(folder, { recursive: true });
  }
});
