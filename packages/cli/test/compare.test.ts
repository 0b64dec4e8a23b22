/** `gvu compare` from end to end, on a model of a few thousand weights: two seeds, three rewards, two steps. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readComparison } from '@gvu/evals';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { plannedRuns, readPlan } from '../src/compare/plan.ts';
import { runCli } from '../src/program.ts';

const slow = { timeout: 600_000 };
let folder: string;
let out: string;
const set = (values: Readonly<Record<string, unknown>>) =>
  Object.entries(values).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-cli-compare-'));
  out = join(folder, 'comparison');
  const recipe = {
    config: {
      tokenizer: { codes: 8, latent: 4, width: 8 },
      flow: { width: 8, blocks: 1, steps: 3 },
      backbone: { width: 16, feedForward: 24, layers: 2, heads: 2 },
    },
    'tokenizer.steps': 2,
    'tokenizer.batch': 2,
    weak: { steps: 2, drawing: 2, reading: 2 },
    regular: { steps: 2, drawing: 2, reading: 2 },
    evaluation: { perCategory: 1, tests: 2, bestOf: 1 },
  };
  expect(await runCli(['pretrain', '--out', join(folder, 'pretrained'), '--threads', '1', ...set(recipe)])).toBe(0);
}, slow.timeout);
afterAll(() => rm(folder, { recursive: true }));

const compare = (...more: readonly string[]) => runCli(['compare', '--out', out, '--threads', '1', '--quiet', ...more]);
const logOf = (run: string) => readFile(join(out, run, 'events.jsonl'), 'utf8');

it('trains each reward with each seed, goes on where it was stopped, and says what intervals allow', slow, async () => {
  const asked = [
    ...['gvu', 'detector', 'random'].flatMap((reward) => ['--reward', reward]),
    ...['--seeds', '2', '--steps', '2', '--prompts-per-step', '2', '--group-size', '2', '--learning-rate', '0.05'],
    ...['--model', join(folder, 'pretrained', 'regular')],
    ...set({ 'evaluation.perTag': 3, 'evaluation.tests': 4, 'evaluation.images': 0, 'checkpoint.every': 1 }),
  ];
  expect(await compare(...asked)).toBe(0);
  const runs = ['gvu', 'detector', 'random'].flatMap((arm) => [1, 2].map((seed) => `${arm}-seed${seed}`));
  expect((await readdir(out)).toSorted()).toEqual([...runs, 'compare.json', 'report'].toSorted());

  const plan = await readPlan(out);
  if (!plan) throw new Error('there is no plan');
  const before = await readComparison(out, plannedRuns(plan));
  expect(before).toMatchObject({ score: 'detector', seeds: [1, 2], leftOut: 0 });
  expect(before.arms.map(({ arm, seenBy }) => [arm, [...seenBy.keys()].toSorted()])).toEqual(
    ['gvu', 'detector', 'random'].map((arm) => [arm, ['detector', 'gvu', 'random']]),
  );
  for (const { arm, kl, diversity, seconds, exam } of before.arms) {
    for (const values of [kl, diversity, seconds]) {
      expect(values).toHaveLength(2);
      expect(values.every((value) => value >= 0)).toBe(true);
    }
    // A detector that finds nothing right in these drawings teaches nothing; chance always does.
    if (arm === 'random') expect(Math.min(...kl)).toBeGreaterThan(0);
    expect(exam?.n).toBeGreaterThan(0);
  }
  expect(before.pairs.map(({ one, other }) => [one, other])).toEqual([
    ['gvu', 'detector'],
    ['gvu', 'random'],
    ['detector', 'random'],
  ]);
  const page = await readFile(join(out, 'report', 'index.html'), 'utf8');
  const markdown = await readFile(join(out, 'report', 'index.md'), 'utf8');
  expect(page).not.toMatch(/<script|https?:\/\//);
  expect(page.match(/<svg/g)?.length).toBe(page.match(/<desc>/g)?.length);
  for (const text of [page, markdown]) for (const run of runs) expect(text).toContain(run);
  expect(markdown).toContain('Two seeds say little');

  // One run is gone, another was killed before it could say how it ended; the others must stay as they are.
  const [gone, killed, ...kept] = [
    'random-seed2',
    'gvu-seed1',
    'detector-seed1',
    'detector-seed2',
    'gvu-seed2',
    'random-seed1',
  ];
  const logs = await Promise.all(kept.map(logOf));
  await cp(join(out, gone), join(folder, 'gone'), { recursive: true });
  await rm(join(out, gone), { recursive: true });
  const lines = (await logOf(killed)).trimEnd().split('\n');
  expect(lines.pop()).toContain('run.ended');
  await writeFile(join(out, killed, 'events.jsonl'), `${lines.join('\n')}\n`);

  expect(await compare()).toBe(0);
  expect(await Promise.all(kept.map(logOf))).toEqual(logs);
  expect(await logOf(killed)).toContain('run.resumed');
  const after = await readComparison(out, plannedRuns(plan));
  const numbers = ({ arms, pairs, verdict }: typeof before) => ({
    pairs,
    verdict,
    arms: arms.map(({ seconds: _, ...arm }) => arm),
  });
  expect(numbers(after)).toEqual(numbers(before));

  // Another comparison must not get into the same folder.
  expect(await compare('--reward', 'gvu', '--reward', 'random', '--seeds', '2')).toBe(2);
});
