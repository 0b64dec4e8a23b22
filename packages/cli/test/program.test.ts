/** The program as a process: what goes to which stream, and the exit codes. */
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gvu, nodeArguments } from './run-gvu.ts';

// The processes spend their time starting; two at a time is what a small machine bears.
const fast = { timeout: 120_000 };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-cli-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

test('help goes to stdout; a wrong command to stderr, with exit code 2', fast, async () => {
  const [help, wrong] = await Promise.all([gvu(['--help']), gvu(['trian'])]);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toContain('Exit codes');
  expect(wrong).toMatchObject({ code: 2, stdout: '' });
  expect(wrong.stderr).toContain('Did you mean train?');
});

test('config lists all keys with the options of what is selected; a reader may stop early', fast, async () => {
  const text = await gvu(['config', '--algorithm', 'sapo']);
  expect(text).toMatchObject({ code: 0, stderr: '' });
  expect(text.stdout).toMatch(/^optimiser\.beta2 +number >= 0 < 1 +0\.99 +Decay of the second moment\.$/m);
  expect(text.stdout).toContain('algorithm.options, of algorithms/sapo:');
  const { status } = spawnSync('sh', ['-c', '"$0" "$@" | head -n 1', process.execPath, ...nodeArguments, 'config'], {
    encoding: 'utf8',
  });
  expect(status).toBe(0);
});

test('what is wrong in a file or in flags is told on stderr, without a stack, with exit code 1', fast, async () => {
  const file = join(folder, 'run.json');
  await writeFile(file, '{"stepz": 5, "seed": "one"}');
  const [keys, reward] = await Promise.all([
    gvu(['config', 'validate', file]),
    gvu(['train', '--reward', 'gvuu'], { cwd: folder }),
  ]);
  for (const { code, stdout, stderr } of [keys, reward]) {
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).not.toContain('    at ');
  }
  expect(keys.stderr).toMatch(/GVU_CONFIG_INVALID.*2 problems(.|\n)*Did you mean "steps"\?/);
  expect(reward.stderr).toContain('Did you mean "rewards/gvu"?');
});

test('colours are for terminals, or for those who ask; --verbose shows the stack', fast, async () => {
  const args = ['describe', 'none.png', '--verbose'];
  const [plain, forced] = await Promise.all([gvu(args), gvu(args, { env: { FORCE_COLOR: '1' } })]);
  expect(plain.stderr).toMatch(/^GVU_CLI_FILE: 'none\.png' cannot be read.*\n(.|\n)* {4}at /);
  expect([plain, forced].map(({ stderr }) => stderr.includes('\u001b['))).toEqual([false, true]);
});

test('a check of a plugin finds every problem; those of GvU are found from anywhere', fast, async () => {
  const broken = join(folder, 'broken');
  await mkdir(broken);
  const gvuKey = { api: '*', entry: './none.js', contributes: { reward: [{ id: 'x' }] } };
  await writeFile(join(broken, 'package.json'), JSON.stringify({ name: 'broken', version: '1.0.0', gvu: gvuKey }));
  const [checked, own] = await Promise.all([
    gvu(['plugins', 'check', 'broken'], { cwd: folder }),
    gvu(['plugins', 'list', '--json'], { cwd: folder }),
  ]);
  expect(checked.code).toBe(1);
  for (const code of ['GVU_PLUGIN_MANIFEST_INVALID', 'GVU_PLUGIN_KIND_UNKNOWN', 'GVU_PLUGIN_ENTRY_MISSING']) {
    expect(checked.stdout).toContain(code);
  }
  expect(own).toMatchObject({ code: 0, stderr: '' });
  const { contributions } = JSON.parse(own.stdout);
  const silent = contributions.filter(({ description }: Record<string, string>) => !description);
  expect(silent).toEqual([]);
  const names = contributions.map(({ kind, id }: Record<string, string>) => `${kind}/${id}`);
  expect(names).toEqual(expect.arrayContaining(['backends/shapes', 'rewards/gvu', 'algorithms/grpo', 'prompts/file']));
});

test('doctor finds nothing missing here', fast, async () => {
  const { code, stdout } = await gvu(['doctor', '--json']);
  const { ok, findings } = JSON.parse(stdout);
  expect({ code, ok }).toEqual({ code: 0, ok: true });
  expect(findings.map(({ name }: { name: string }) => name)).toEqual(
    expect.arrayContaining(['node', 'memory', 'disk', 'onnxruntime', 'cpu', 'kernels', 'cuda', 'plugin']),
  );
});
