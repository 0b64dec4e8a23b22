/** Training on checkpoints of real architectures, tiny ones, as their users begin: a directory and a file of prompts, nothing else. */
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openSafetensors, readTensors, toNumbers } from '@gvu/onnx';
import { newestAdapter } from '@gvu/rl';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gvu } from './run-gvu.ts';

const fixtures = resolve(process.env.GVU_FIXTURES ?? join(import.meta.dirname, '../../../fixtures'));
const slow = { timeout: 180_000 };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-cli-'));
  const things = ['cube', 'sphere', 'cat', 'house', 'tree', 'cup', 'bird', 'car', 'dog', 'boat', 'lamp', 'chair'];
  await writeFile(join(folder, 'prompts.txt'), things.map((thing) => `a red ${thing}\n`).join(''));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** Three steps of four drawings, which are enough to see everything work. */
const small = ['--steps', '3', '--group-size', '2', '--prompts-per-step', '2'];

async function trained(name: string, flags: readonly string[]): Promise<string> {
  const out = join(folder, name);
  const ended = await gvu(['train', '--prompts', 'prompts.txt', '--out', out, ...small, ...flags], { cwd: folder });
  expect(ended.stderr).not.toContain('GVU_');
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('finished: 3 of 3 steps') });
  return (await newestAdapter(out))?.path ?? '';
}

async function tensorsOf(adapter: string) {
  const file = await openSafetensors(join(adapter, 'adapter_model.safetensors'));
  return await readTensors(file.tensors.values());
}

const models = [
  { backend: 'x-omni', model: join(fixtures, 'x-omni-tiny'), flags: ['--set', 'backend.options.imageSize=64'] },
  { backend: 'janus', model: join(fixtures, 'janus-tiny'), flags: [] },
];

describe.each(models)('$backend', ({ backend, model, flags }) => {
  const given = ['--backend', backend, '--model', model, ...flags];
  let adapter: string;

  test('is trained, and leaves an adapter as PEFT stores it', slow, async () => {
    adapter = await trained(backend, given);
    const config = JSON.parse(await readFile(join(adapter, 'adapter_config.json'), 'utf8'));
    expect(config).toMatchObject({ peft_type: 'LORA', r: 16, lora_alpha: 32 });
    expect(config.target_modules).toContain('q_proj');
    const tensors = await tensorsOf(adapter);
    for (const name of tensors.keys()) expect(name).toMatch(/^base_model\.model\..+\.lora_[AB]\.weight$/);
    // B begins as zeros: what is there has been learned.
    const learned = [...tensors].filter(([name]) => name.includes('lora_B'));
    expect(learned.length).toBeGreaterThan(10);
    expect(learned.flatMap(([, tensor]) => toNumbers(tensor)).some((value) => value !== 0)).toBe(true);
  });

  test('learns the same when its blocks are computed again', slow, async () => {
    const settings = ['--set', 'checkpointing=true', '--set', 'microBatch=1'];
    const again = await tensorsOf(await trained(`${backend}-again`, [...given, ...settings]));
    for (const [name, tensor] of await tensorsOf(adapter)) {
      const other = again.get(name);
      const values = other ? toNumbers(other) : [];
      toNumbers(tensor).forEach((value, i) => {
        expect(values[i], name).toBeCloseTo(value, 4);
      });
    }
  });

  test('needs prompts, and says how to give them', slow, async () => {
    const { code, stderr } = await gvu(['train', '--backend', backend, '--model', model, ...small], { cwd: folder });
    expect(code).toBe(2);
    expect(stderr).toContain(`the backend '${backend}' comes with none`);
    expect(stderr).toContain('--prompts FILE');
  });
});

test('what a reward would show that the model cannot read is refused before the run has a folder', slow, async () => {
  // The paper's preset reads decoded pictures, which X-Omni has none of without a decoder.
  const model = [
    '--backend',
    'x-omni',
    '--model',
    join(fixtures, 'x-omni-tiny'),
    '--set',
    'backend.options.imageSize=64',
  ];
  const given = ['train', ...model, '--prompts', 'prompts.txt', '--preset', 'gvu-paper', '--out', 'refused', ...small];
  for (const flags of [['--dry-run'], []]) {
    const { code, stderr } = await gvu([...given, ...flags], { cwd: folder });
    expect(code).toBe(1);
    expect(stderr).toContain(
      'GVU_REWARD_REPRESENTATION: The judge cannot read retokenised-pixels; it reads emitted-tokens.',
    );
  }
  await expect(access(join(folder, 'refused'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('listing the plugins does not load the engine', slow, async () => {
  const report =
    "process.on('exit',()=>console.error(process.report.getReport().sharedObjects.some((f)=>/onnxruntime/.test(f))))";
  const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(report)}` };
  const { code, stdout, stderr } = await gvu(['plugins', 'list'], { env, cwd: folder });
  expect({ code, stderr: stderr.trim() }).toEqual({ code: 0, stderr: 'false' });
  expect(stdout).toContain('janus');
  expect(stdout).toContain('x-omni');
});
