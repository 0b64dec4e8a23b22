/** `gvu compare` from end to end, on a model of a few thousand weights: two seeds, three rewards, two steps; and watched, killed, resumed. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readComparison, readRun } from '@gvu/evals';
import { Client, type RunSummary, type SubscriptionItem } from '@gvu/server/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { plannedRuns, readPlan } from '../src/compare/plan.ts';
import { runCli } from '../src/program.ts';
import { type Ended, gvu } from './run-gvu.ts';

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

it('--serve shows each run while it trains; killed, it goes on to the same result', slow, async () => {
  const asked = [
    ...['detector', 'random'].flatMap((reward) => ['--reward', reward]),
    ...['--seeds', '1', '--steps', '30', '--prompts-per-step', '2', '--group-size', '2', '--threads', '1'],
    ...['--model', join(folder, 'pretrained', 'regular')],
    // A tiny model's drawings hardly differ, and may all earn the same.
    ...set({ 'evaluation.perTag': 3, 'evaluation.tests': 4, 'evaluation.images': 0, 'guards.idleSteps': 0 }),
    ...set({ 'checkpoint.every': 2, 'guards.maxKl': 1e6 }),
  ];
  const watched = join(folder, 'watched');
  let kill = () => {};
  let running: Promise<Ended> | undefined;
  const url = await new Promise<string>((resolve, reject) => {
    running = gvu(['compare', '--out', watched, '--serve', '--port', '0', '--quiet', ...asked], {
      onStderr: (text, child) => {
        kill = () => child.kill('SIGKILL');
        const found = /^Watch: +(\S+)/m.exec(text)?.[1];
        if (found) resolve(found);
      },
    });
    running.then(({ stderr }) => reject(new Error(stderr)), reject);
  });

  // As the dashboard does: which runs there are is told, and each is followed from when it is there.
  using client = new Client({ url: url.replace('http', 'ws'), WebSocket });
  const stateOf = async (run: string, state: RunSummary['state']) => {
    for await (const item of client.subscribe({ channel: 'server', from: 'latest' })) {
      // What was before is asked for.
      const runs = item.kind === 'start' ? (await client.request('runs', {})).runs : toldRuns(item);
      if (runs.some((each) => each.run === run && each.state === state)) return;
    }
    throw new Error(`the server said nothing of ${run}`);
  };
  const steps = async (run: string, count: number) => {
    const seen: number[] = [];
    for await (const item of client.subscribe({ run, channel: 'metrics', from: 'earliest' })) {
      if (isStep(item)) seen.push(item.data.step);
      if (seen.length === count) return seen;
    }
    return seen;
  };
  await stateOf('detector-seed1', 'open');
  expect(await steps('detector-seed1', 30)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  await stateOf('detector-seed1', 'ended');
  await stateOf('random-seed1', 'open');
  expect(await steps('random-seed1', 3)).toEqual([1, 2, 3]);
  kill();
  expect((await running)?.code).toBeNull();
  const done = await readFile(join(watched, 'detector-seed1', 'events.jsonl'), 'utf8');
  expect((await readRun(join(watched, 'random-seed1'))).ended).toBeNull();

  const results = async (directory: string, ...options: readonly string[]) => {
    const { code, stdout, stderr } = await gvu(['compare', '--out', directory, '--threads', '1', '--json', ...options]);
    expect(code, stderr).toBe(0);
    const { arms, pairs, verdict } = JSON.parse(stdout);
    return { pairs, verdict, arms: arms.map(({ seconds: _, ...arm }: { seconds: unknown }) => arm) };
  };
  const resumed = await results(watched);
  expect(await readFile(join(watched, 'detector-seed1', 'events.jsonl'), 'utf8')).toBe(done);
  expect(await readFile(join(watched, 'random-seed1', 'events.jsonl'), 'utf8')).toContain('run.resumed');
  expect((await readRun(join(watched, 'random-seed1'))).ended).toMatchObject({ reason: 'finished', step: 30 });
  expect(resumed).toEqual(await results(join(folder, 'undisturbed'), ...asked));
});

function isStep(item: SubscriptionItem): item is SubscriptionItem & { readonly data: { readonly step: number } } {
  return item.kind === 'event' && item.type === 'step';
}

function toldRuns(item: SubscriptionItem): readonly RunSummary[] {
  if (item.kind !== 'event' || item.type !== 'server.runs') return [];
  return (item.data as unknown as { readonly runs: readonly RunSummary[] }).runs;
}
