/** `gvu reproduce` from end to end, on a model of a few thousand weights: stopped, gone on with, reported. */
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readRun } from '@gvu/evals';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GvuOptions, gvu } from './run-gvu.ts';

const slow = { timeout: 600_000 };
const run = 'weak-gvu-seed1';
let folder: string;
let out: string;
const set = (values: Readonly<Record<string, unknown>>) =>
  Object.entries(values).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-cli-reproduce-'));
  out = join(folder, 'reproduction');
  const recipe = {
    config: {
      tokenizer: { codes: 8, latent: 4, width: 8 },
      flow: { width: 8, blocks: 1, steps: 3 },
      backbone: { width: 16, feedForward: 24, layers: 2, heads: 2 },
    },
    'tokenizer.steps': 2,
    'tokenizer.batch': 2,
    regular: { steps: 2, drawing: 2, reading: 2 },
    weak: { steps: 2, drawing: 2, reading: 2 },
    evaluation: { perCategory: 1, tests: 2, bestOf: 1 },
  };
  const { code, stderr } = await gvu(['pretrain', '--out', join(folder, 'bases'), '--threads', '1', ...set(recipe)]);
  expect(code, stderr).toBe(0);
}, slow.timeout);
afterAll(() => rm(folder, { recursive: true }));

const reproduce = (more: readonly string[], options?: GvuOptions) =>
  gvu(['reproduce', '--out', out, '--threads', '1', ...more], options);
const logOf = () => readFile(join(out, run, 'events.jsonl'), 'utf8');

it('stops when asked, goes on where it was, and reports what is there', slow, async () => {
  const asked = [
    ...['--only', 'words', '--only', 'weak', '--seeds', '1', '--steps', '40', '--models', join(folder, 'bases')],
    ...set({
      promptsPerStep: 2,
      groupSize: 2,
      learningRate: 0.01,
      // A tiny model's drawings hardly differ, and may all earn the same.
      'guards.idleSteps': 0,
      evaluation: { every: 20, perTag: 3, drawings: 1, tests: 4, images: 1 },
    }),
  ];
  // Ctrl-C after the first step.
  let started: ChildProcess | undefined;
  const running = reproduce(asked, {
    onStderr: (_, child) => {
      started = child;
    },
  });
  const log = join(out, run, 'events.jsonl');
  while ((started?.exitCode ?? null) === null && !(existsSync(log) && (await logOf()).includes('"type":"step"')))
    await sleep(20);
  started?.kill('SIGINT');
  expect((await running).code).toBe(130);
  const stopped = await readRun(join(out, run));
  expect(stopped.ended?.reason).toBe('stopped');
  expect(await readFile(join(out, 'report', 'index.md'), 'utf8')).toContain('Planned and not done: regular');

  const again = await reproduce(['--only', 'weak', '--json']);
  expect(again.code, again.stderr).toBe(0);
  const told = JSON.parse(again.stdout);
  expect(told).toMatchObject({ folder: out, failures: [], page: join(out, 'report', 'index.html') });
  const record = await readRun(join(out, run));
  expect(record.ended).toMatchObject({ reason: 'finished', step: 40 });
  expect(record.steps.map(({ step }) => step)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  expect(await logOf()).toContain('run.resumed');

  // A number of the report is that of the log.
  const json = JSON.parse(await readFile(told.json, 'utf8'));
  const [first, last] = [record.evaluations[0], record.evaluations.at(-1)];
  const gain = (last?.overall.gvu ?? Number.NaN) - (first?.overall.gvu ?? Number.NaN);
  expect(Number.isFinite(gain)).toBe(true);
  const values = json.sections.flatMap((section: { tables: { values: object[] }[] }) =>
    section.tables.flatMap((table) => table.values),
  );
  expect(values).toContainEqual(
    expect.objectContaining({
      row: 'GvU (weak base)',
      column: 'held-out: gvu',
      mean: expect.closeTo(gain, 10),
      runs: [run],
    }),
  );
  expect(json.facts.command).toContain('gvu reproduce --seeds 1 --steps 40');
  const page = await readFile(told.page, 'utf8');
  expect(page).not.toMatch(/<script|https?:\/\//);
  expect(page.length).toBeLessThan(5_000_000);
  expect(page.match(/<svg/g)?.length).toBe(page.match(/<desc>/g)?.length);
  expect(page.match(/<img src="data:image\/png;base64,[^"]+" alt="[^"]+"/g)?.length).toBe(page.match(/<img /g)?.length);

  // What is done is not done again; the report can be had again, elsewhere.
  const before = await logOf();
  const copy = join(folder, 'published');
  const report = await reproduce(['--only', 'weak', '--only', 'words', '--report', copy, '--quiet']);
  expect(report.code, report.stderr).toBe(0);
  expect(await logOf()).toBe(before);
  const markdown = (directory: string) => readFile(join(directory, 'index.md'), 'utf8');
  expect(await markdown(copy)).toBe(await markdown(join(out, 'report')));

  // Another plan must not get into the same folder, and a part must be one.
  expect((await reproduce(['--steps', '3'])).code).toBe(2);
  expect((await reproduce(['--only', 'everything'])).stderr).toContain('GVU_CLI_USAGE');

  const dry = await reproduce(['--dry-run', '--only', 'group-size', '--json']);
  expect(dry.code, dry.stderr).toBe(0);
  const expected = JSON.parse(dry.stdout);
  expect(expected.runs.map((planned: { folder: string }) => planned.folder)).toEqual([
    'regular-gvu-g8-seed1',
    'regular-gvu-g16-seed1',
  ]);
  expect(expected.secondsEach).toBeGreaterThan(0);
  expect(existsSync(join(out, 'regular-gvu-g8-seed1'))).toBe(false);
});
