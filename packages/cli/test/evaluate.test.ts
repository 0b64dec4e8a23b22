/** `gvu evaluate` from the command line to the folder, on a model of a few thousand weights. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode } from 'fast-png';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gvu } from './run-gvu.ts';

const slow = { timeout: 300_000 };
const sizes = {
  tokenizer: { codes: 8, latent: 4, width: 8 },
  flow: { width: 8, blocks: 1, steps: 3 },
  backbone: { width: 16, feedForward: 24, layers: 2, heads: 2 },
};
const recipe = {
  config: sizes,
  'tokenizer.steps': 2,
  'tokenizer.batch': 2,
  weak: { steps: 2, drawing: 2, reading: 2 },
  regular: { steps: 2, drawing: 2, reading: 2 },
  evaluation: { perCategory: 1, tests: 2, bestOf: 1 },
};

let folder: string;
const run = (args: readonly string[]) => gvu(args, { cwd: folder });
const tiny = ['--model', 'pretrained/regular', '--threads', '1'];
const evaluate = ['evaluate', '--benchmark', 'shapes-geneval', '--set', 'perTask=2', ...tiny];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-cli-evaluate-'));
  const set = Object.entries(recipe).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);
  const { code, stderr } = await run(['pretrain', '--out', 'pretrained', '--threads', '1', ...set]);
  expect(code, stderr).toBe(0);
}, 300_000);
afterAll(async () => {
  await rm(folder, { recursive: true });
});

test('draws, lays out, judges, and compares with itself', slow, async () => {
  const first = await run([...evaluate, '--judge', 'shapes', '--images', '2', '--out', 'first', '--json']);
  expect(first, first.stderr).toMatchObject({ code: 0 });
  const result = JSON.parse(first.stdout);
  expect(result).toMatchObject({
    benchmark: { name: 'shapes-geneval' },
    mode: 'official',
    judge: { name: 'shapes' },
    model: { name: 'shapes', adapter: null },
    items: 12,
    imagesPerPrompt: { drawn: 2, official: 4 },
    imageFormat: 'png',
    folder: 'first',
  });
  expect(result.scores).toHaveLength(12);
  expect((await readdir(join(folder, 'first'))).sort()).toEqual(['images', 'result.json', 'results.jsonl']);
  expect(await readdir(join(folder, 'first/images'))).toHaveLength(12);
  expect(await readdir(join(folder, 'first/images/00011/samples'))).toEqual(['00000.png', '00001.png']);
  const png = decode(await readFile(join(folder, 'first/images/00000/samples/00001.png')));
  expect(png).toMatchObject({ channels: 3, depth: 8 });
  const metadata = JSON.parse(await readFile(join(folder, 'first/images/00003/metadata.jsonl'), 'utf8'));
  expect(metadata).toMatchObject({ tag: 'two_object', include: [{ count: 1 }, { count: 1 }] });
  expect((await readFile(join(folder, 'first/results.jsonl'), 'utf8')).trim().split('\n')).toHaveLength(24);

  await writeFile(join(folder, 'train.txt'), `${metadata.prompt.toUpperCase()}.\nother words\n`);
  const again = [...evaluate, '--judge', 'shapes', '--images', '2', '--out', 'again', '--compare', 'first'];
  const second = await run([...again, '--train', 'train.txt']);
  expect(second, second.stderr).toMatchObject({ code: 0 });
  expect(second.stdout).toMatch(/^overall +12 /m);
  expect(second.stdout).toContain('no difference can be told');
  expect(second.stdout).toContain('1 of 12 prompts are among the 2 of training (0 exactly)');
  expect(second.stdout).toMatch(/Seed 0, sampler \{.*\}, prompts [0-9a-f]{16}/);
  const { scores } = JSON.parse(await readFile(join(folder, 'again/result.json'), 'utf8'));
  expect(scores).toEqual(result.scores);
});

test('without a judge the images are for another one; what does not fit is refused', slow, async () => {
  const [drawn, judge, unknown, file] = await Promise.all([
    run([...evaluate, '--images', '1', '--per-tag', '1', '--out', 'drawn']),
    run(['evaluate', '--benchmark', 'dpg-bench', '--set', 'path=none.csv', ...tiny]),
    run([...evaluate, '--judge', 'shape']),
    run([...evaluate, '--judge', 'shapes', '--compare', 'nothing']),
  ]);
  expect(drawn, drawn.stderr).toMatchObject({ code: 0 });
  expect(drawn.stderr).toContain('Nothing was scored');
  expect(drawn.stdout).toContain('Only 6 of 12 items');
  expect(await readdir(join(folder, 'drawn/images'))).toHaveLength(6);
  expect(judge.stderr).toMatch(/GVU_BENCHMARK_FILE.*none.csv/);
  expect(unknown.stderr).toMatch(/GVU_PLUGIN_CONTRIBUTION_UNKNOWN.*shape/s);
  expect(file.stderr).toContain('GVU_BENCHMARK_RESULT');
  expect([judge.code, unknown.code, file.code]).toEqual([1, 1, 1]);
});
