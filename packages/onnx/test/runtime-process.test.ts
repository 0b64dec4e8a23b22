/** The runtime in processes of their own: from the built package and from source, and how such a process ends. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { slowProgram } from './tiny-program.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..', '..');
const size = 512;

/** `program`, `runtime`, `session` and its `feeds`, for a script. */
const prologue = `
  import { Runtime } from '@gvu/onnx';
  const shape = [${size}, ${size}];
  const program = {
    name: 'slow',
    model: Buffer.from(process.argv[1], 'base64'),
    inputs: [{ name: 'x', dtype: 'float32', shape }],
    outputs: [{ name: 'y', dtype: 'float32', shape }],
  };
  const feeds = { x: { dtype: 'float32', shape, data: new Float32Array(${size * size}).fill(1 / ${size}) } };
  const runtime = await Runtime.create();
  const session = await runtime.load(program);
`;
const computesOnce = 'console.log((await session.run(feeds)).y.data[0] * 512);';

async function output(script: string, nodeOptions: readonly string[] = []): Promise<string> {
  const model = Buffer.from(slowProgram({ size, count: 60 }).model).toString('base64');
  const options = [...nodeOptions, '--input-type=module', '--eval', prologue + script, model];
  // Rejects when the exit code is not 0.
  const { stdout, stderr } = await run(process.execPath, options, { cwd: import.meta.dirname, timeout: 50_000 });
  return stdout + stderr;
}

beforeAll(async () => {
  // Type errors are for another check; what counts here is what the scripts below find in `dist`.
  await run('npx', ['tsc', '--build', 'packages/onnx/tsconfig.lib.json'], { cwd: root }).catch(() => undefined);
}, 120_000);

test('the built package finds its worker, in plain Node', async () => {
  expect(await output(`${computesOnce} await runtime.dispose();`)).toBe('1\n');
});

test('so does the source', async () => {
  const fromSource = ['--conditions', '@gvu/source', '--import', 'tsx'];
  expect(await output(`${computesOnce} await runtime.dispose();`, fromSource)).toBe('1\n');
});

test('a forgotten runtime does not keep the process alive', async () => {
  expect(await output(computesOnce)).toBe('1\n');
});

test('the process waits for a run that nobody awaits', async () => {
  expect(await output('void session.run(feeds).then(() => console.log("done"));')).toBe('done\n');
});

test('process.exit() while a model runs ends the process in order', async () => {
  // Without the wait at exit the process dies of SIGABRT, in most attempts.
  const exits = 'void session.run(feeds); void session.run(feeds); setTimeout(() => process.exit(0), 10);';
  for (let attempt = 0; attempt < 3; attempt++) expect(await output(exits)).toBe('');
});

test('so does an error that nobody catches', async () => {
  const throws = 'void session.run(feeds); setTimeout(() => { throw new Error("mine"); }, 10);';
  await expect(output(throws)).rejects.toMatchObject({
    code: 1,
    signal: null,
    stderr: expect.stringContaining('mine'),
  });
});
