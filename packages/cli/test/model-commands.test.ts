/** Everything that works with a model, on one of a few thousand weights that `gvu pretrain` makes here. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, encode } from 'fast-png';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ended, type GvuOptions, gvu } from './run-gvu.ts';

const slow = { timeout: 240_000 };
const prompt = 'a photo of a red circle';
const tiny = ['--model', 'pretrained/regular', '--threads', '1'];

let folder: string;
const run = (args: readonly string[], options: GvuOptions = {}) => gvu(args, { cwd: folder, ...options });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-cli-model-'));
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
  const set = Object.entries(recipe).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);
  const { code, stdout, stderr } = await run(['pretrain', '--out', 'pretrained', '--threads', '1', ...set]);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^regular: pretrained\/regular$/m);
  expect(stdout).toMatch(/^drawings: pretrained\/drawings\.png$/m);
  const sheet = decode(await readFile(join(folder, 'pretrained', 'drawings.png')));
  // Eleven categories below each other, with two models side by side.
  expect(sheet.width).toBe(4 * (2 + 2 * 66));
  expect(sheet.height).toBeGreaterThan(11 * 4 * 66);
}, 240_000);
afterAll(async () => {
  await rm(folder, { recursive: true });
});

test('a drawing is written enlarged, and read again as it was drawn', slow, async () => {
  const drawn = await run(['generate', prompt, 'a photo of two moons', '--count', '2', '--seed', '3', ...tiny]);
  expect(drawn, drawn.stderr).toMatchObject({ code: 0, stderr: '' });
  const files = drawn.stdout.trim().split('\n');
  expect(files).toEqual([
    'drawings/a-photo-of-a-red-circle-3-1.png',
    'drawings/a-photo-of-a-red-circle-3-2.png',
    'drawings/a-photo-of-two-moons-3-1.png',
    'drawings/a-photo-of-two-moons-3-2.png',
    'drawings/sheet.png',
  ]);
  const image = join(folder, files[0] ?? '');
  expect(decode(await readFile(image))).toMatchObject({ width: 512, height: 512, channels: 3 });

  const scored = await run(['score', image, '--prompt', prompt, '--json', ...tiny]);
  // Nothing to be said: it fits exactly.
  expect(scored, scored.stderr).toMatchObject({ code: 0, stderr: '' });
  const numbers = JSON.parse(scored.stdout);
  expect(numbers.tokens.join(' ')).toBe(prompt);
  expect(numbers.geometricMean).toBeCloseTo(Math.exp(numbers.meanLogProb), 12);
});

test('a photograph is made to fit, and that is said', slow, async () => {
  const data = Uint8Array.from({ length: 3 * 90 * 50 }, (_, i) => i % 251);
  await writeFile(join(folder, 'photo.png'), encode({ width: 90, height: 50, data, channels: 3 }));
  const [described, scored, unknown] = await Promise.all([
    run(['describe', 'photo.png', ...tiny]),
    run(['score', 'photo.png', '--prompt', prompt, ...tiny], { env: { FORCE_COLOR: '1' } }),
    run(['score', 'photo.png', '--prompt', 'a photo of a zebra', ...tiny]),
  ]);
  expect(described.code).toBe(0);
  expect(described.stderr).toContain("'photo.png' has 90 x 50 pixels; the model sees its middle as 64 x 64.");
  expect(described.stdout.trim().length).toBeGreaterThan(0);
  expect(scored.stdout).toMatch(/48;2;\d+;\d+;30m/);
  expect(scored.stdout).toMatch(/geometric mean 0\.\d{4} {3}mean log-probability -\d/);
  expect(unknown).toMatchObject({ code: 1, stdout: '' });
  expect(unknown.stderr).toMatch(/GVU_MODEL_TEXT.*zebra/);
});

test('weights and adapters that are not there, a place where no files can be', slow, async () => {
  const [model, adapter, out, scale] = await Promise.all([
    run(['generate', prompt, '--model', './none']),
    run(['generate', prompt, '--adapter', 'none', ...tiny]),
    run(['generate', prompt, '--out', 'pretrained/regular/config.json', ...tiny]),
    run(['generate', prompt, '--scale', '65', ...tiny]),
  ]);
  expect(model.stderr).toMatch(/^GVU_SHAPES_MODEL.*none/);
  expect(adapter.stderr).toMatch(/^GVU_LORA_READ.*none/);
  expect(out.stderr).toMatch(/^GVU_CLI_FILE.*config\.json' cannot be made: EEXIST/);
  expect(scale.stderr).toContain('a whole number from 1 to 64');
  expect([model.code, adapter.code, out.code, scale.code]).toEqual([1, 1, 1, 2]);
});

const small = {
  groupSize: 2,
  promptsPerStep: 2,
  steps: 2,
  evaluation: { perTag: 1, tests: 1 },
  checkpoint: { every: 1, keep: 1 },
};

test('a run trains, is listed, exported and used', slow, async () => {
  await writeFile(join(folder, 'run.json'), JSON.stringify(small));
  const dry = await run(['train', '--config', 'run.json', '--dry-run', '--json', '--seed', '9', ...tiny]);
  expect(dry, dry.stderr).toMatchObject({ code: 0 });
  const { config, plan } = JSON.parse(dry.stdout);
  expect(config).toMatchObject({ steps: 2, seed: 9, prompts: { options: { model: config.backend.options.model } } });
  expect(plan.step).toMatchObject({ drawings: 4 });
  expect(await readdir(folder)).not.toContain('runs');

  const trained = await run(['train', '--config', 'run.json', '--name', 'first', ...tiny]);
  expect(trained, trained.stderr).toMatchObject({ code: 0 });
  expect(trained.stderr).toContain('Evaluation after step 2: detector');
  expect(trained.stdout).toContain('All 2 steps are done.');
  expect(trained.stdout).toMatch(/^Report: runs\/first\/report\/index\.html$/m);

  const [exported, again, shown] = await Promise.all([
    run(['runs', 'export', 'first', 'adapter']),
    run(['train', '--resume', 'runs/first', '--quiet']),
    run(['runs', 'show', 'first', '--json']),
  ]);
  expect(exported.code).toBe(0);
  const { comparison, exams, ...summary } = JSON.parse(shown.stdout);
  expect(summary).toMatchObject({ id: 'first', state: 'finished', step: 2, score: 'detector' });
  expect(comparison).toMatchObject({ steps: [0, 2], overall: { before: summary.before, after: summary.after } });
  expect(comparison.rows.map(({ tag }: { tag: string }) => tag)).toContain('color_attr');
  expect(exams.map(({ kind }: { kind: string }) => kind)).toContain('retrieval');
  expect((await readdir(join(folder, 'adapter'))).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
  expect(again).toMatchObject({ code: 0, stderr: '' });

  const draw = ['generate', prompt, '--count', '1', '--threads', '1'];
  const [byRun, byAdapter] = await Promise.all([
    run([...draw, '--adapter', 'runs/first', '--out', 'by-run']),
    run([...draw, '--adapter', 'adapter', '--out', 'by-adapter', '--model', 'pretrained/regular']),
  ]);
  expect([byRun.code, byAdapter.code]).toEqual([0, 0]);
  const file = 'a-photo-of-a-red-circle-0-1.png';
  const [one, other] = await Promise.all(['by-run', 'by-adapter'].map((out) => readFile(join(folder, out, file))));
  expect(one?.equals(other ?? Buffer.alloc(0))).toBe(true);
});

test('a file of prompts is looked at as a whole before anything is made', slow, async () => {
  await writeFile(join(folder, 'run.json'), JSON.stringify(small));
  await writeFile(join(folder, 'good.txt'), `\uFEFF${prompt}\r\n\r\n${prompt}\r\na photo of two moons\r\n`);
  await writeFile(join(folder, 'strange.txt'), `${prompt}\n${prompt}\na photo of a zebra\na green dog\n`);
  const args = ['train', '--config', 'run.json', ...tiny, '--set', 'prompts.options.heldOutShare=0'];
  const [good, strange, dry] = await Promise.all([
    run([...args, '--out', 'good', '--prompts', 'good.txt']),
    run([...args, '--out', 'strange', '--prompts', 'strange.txt']),
    run([...args, '--dry-run', '--prompts', 'strange.txt']),
  ]);
  expect(good, good.stderr).toMatchObject({ code: 0 });
  expect(good.stderr).toContain('Prompts: 4 lines (1 empty, 1 repeated): 2 prompts to train on, 0 held out\n');
  for (const { code, stderr } of [strange, dry]) {
    expect(code).toBe(1);
    expect(stderr).toMatch(/^GVU_MODEL_TEXT: .*zebra.*dog/m);
  }
  expect(await readdir(folder)).not.toContain('strange');
});

test('Ctrl-C leaves a run that goes on; its events are JSON lines', slow, async () => {
  const endless = { ...small, steps: 1_000_000, checkpoint: { every: 0 } };
  await writeFile(join(folder, 'endless.json'), JSON.stringify(endless));
  let interrupted = false;
  const interrupting: NonNullable<GvuOptions['onStderr']> = (text, child) => {
    if (!interrupted && text.includes('Evaluation after step 0')) interrupted = child.kill('SIGINT');
  };
  const args = ['train', '--config', 'endless.json', '--out', 'runs/endless', ...tiny];
  const stopped = await run(args, { onStderr: interrupting });
  expect(stopped, stopped.stderr).toMatchObject({ code: 130, stdout: '' });
  expect(stopped.stderr).toMatch(/Stopped after step \d+\. To go on: gvu train --resume runs\/endless\n$/);

  let sent = false;
  const resumed = await run(['train', '--resume', 'runs/endless', '--json', '--threads', '1'], {
    onStdout: (text, child) => {
      if (!sent && text.includes('"type":"step"')) sent = child.kill('SIGTERM');
    },
  });
  expect(resumed.code).toBe(130);
  const events = resumed.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events[0]).toMatchObject({ type: 'run.resumed' });
  expect(events.at(-1)).toMatchObject({ type: 'run.ended', data: { reason: 'stopped' } });
});

test('a second training of a run is refused while the first goes on', slow, async () => {
  let second: Promise<Ended> | undefined;
  const first = await run(['train', '--resume', 'runs/endless', '--threads', '1'], {
    onStderr: (text, child) => {
      if (second || !text.includes('step')) return;
      second = run(['train', '--resume', 'runs/endless', '--threads', '1']);
      void second.finally(() => child.kill('SIGINT'));
    },
  });
  expect(first.code, first.stderr).toBe(130);
  const refused = await second;
  expect(refused?.code).toBe(1);
  expect(refused?.stderr).toMatch(/^GVU_LOG_LOCKED: /m);
});

test.skipIf(process.platform === 'win32')(
  'a full disk ends a run with a reason, and it goes on later',
  slow,
  async () => {
    await writeFile(join(folder, 'run.json'), JSON.stringify(small));
    // Its adapter is larger than any file may be, and its log is not.
    const args = ['train', '--config', 'run.json', '--out', 'runs/full', ...tiny, '--set', 'adapter.rank=256'];
    const full = await run(args, { fileBlocks: 128 });
    expect(full.code).toBe(1);
    expect(full.stderr).toMatch(/^GVU_RUN_WRITE: .*step 1 .*\n.*resume/m);
    const later = await run(['train', '--resume', 'runs/full', '--threads', '1']);
    expect(later, later.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('All 2 steps are done.') });
  },
);

test('a damaged adapter is refused with a reason', slow, async () => {
  await cp(join(folder, 'adapter'), join(folder, 'damaged'), { recursive: true });
  const file = join(folder, 'damaged', 'adapter_model.safetensors');
  await writeFile(file, (await readFile(file)).subarray(0, 1000));
  const { code, stdout, stderr } = await run(['generate', prompt, '--adapter', 'damaged', ...tiny]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/GVU_SAFETENSORS_\w+: .*adapter_model\.safetensors/);
});
