/**
 * New plugins of every kind as their authors get them: their own tests, registered here; the type checker; and the way through a tarball
 * into an empty folder, without network, where a plugin host loads them all.
 *
 * GvU itself runs from source throughout, so nothing has to be built before.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { pluginFiles, pluginKinds } from '../src/plugin-files.ts';
import { writePlugin } from '../src/write-plugin.ts';

const repository = join(import.meta.dirname, '../../..');
const run = promisify(execFile);

// Below the repository, where the packages are found.
const built = join(import.meta.dirname, '../dist');
await mkdir(built, { recursive: true });
const folder = await mkdtemp(join(built, 'new-plugins-'));
afterAll(() => rm(folder, { recursive: true }));
for (const kind of pluginKinds) await writePlugin(join(folder, kind), { kind, id: `my-${kind}`, place: 'standalone' });

const tsc = join(repository, 'node_modules/@typescript/native/bin/tsc');
const tsx = pathToFileURL(join(repository, 'node_modules/tsx/dist/loader.mjs')).href;

it.each(pluginKinds)('%s passes the type checker and builds', { timeout: 120_000 }, async (kind) => {
  const check = (config: string) =>
    run(process.execPath, [tsc, '--project', join(folder, kind, config), '--customConditions', '@gvu/source']);
  await Promise.all([check('tsconfig.json'), check('tsconfig.build.json')]);
});

describe.each(pluginKinds)('%s', async (kind) => {
  // The tests that the template wrote; the plugin has been built by now.
  await import(pathToFileURL(join(folder, kind, 'test/conformance.test.ts')).href);
});

it('pack, install into an empty folder and load there', { timeout: 120_000 }, async () => {
  const empty = await mkdtemp(join(tmpdir(), 'gvu-new-plugins-'));
  try {
    for (const kind of pluginKinds)
      await run('npm', ['pack', '--ignore-scripts', '--pack-destination', empty], { cwd: join(folder, kind) });
    const tarballs = await readdir(empty);
    expect(new Set(tarballs)).toEqual(new Set(pluginKinds.map((kind) => `gvu-${kind}-my-${kind}-0.1.0.tgz`)));
    await writeFile(join(empty, 'package.json'), '{ "type": "module", "private": true }');
    // What GvU brings is a peer: it is there already where GvU is installed.
    const quiet = ['--offline', '--legacy-peer-deps', '--no-audit', '--no-fund'];
    await run('npm', ['install', ...quiet, ...tarballs.map((name) => `./${name}`)], { cwd: empty });
    await mkdir(join(empty, 'node_modules/@gvu'));
    for (const name of ['core', 'models', 'onnx', 'rewards', 'rl'])
      await symlink(join(repository, 'packages', name), join(empty, 'node_modules/@gvu', name));
    await writeFile(join(empty, 'load.mts'), program);
    const { stdout } = await run(process.execPath, ['--conditions=@gvu/source', '--import', tsx, 'load.mts'], {
      cwd: empty,
    });
    expect(JSON.parse(stdout)).toEqual({
      names: ['my-backend', 'my-reward', 'my-algorithm'],
      decisions: 12,
      value: [1],
    });
  } finally {
    await rm(empty, { recursive: true });
  }
});

it('in the repository have its names and settings, and the same sources', async () => {
  for (const kind of pluginKinds) {
    const [inside, outside] = await Promise.all([
      pluginFiles({ kind, id: 'my-thing', place: 'repository' }),
      pluginFiles({ kind, id: 'my-thing', place: 'standalone', packageName: `@gvu/${kind}-my-thing` }),
    ]);
    for (const [path, text] of outside)
      if (/^(src|test|schema)\//.test(path)) expect(inside.get(path), path).toBe(text);
    expect(JSON.parse(inside.get('package.json') ?? '')).toMatchObject({
      name: `@gvu/${kind}-my-thing`,
      gvu: { source: './src/plugin.ts', contributes: { [`${kind}s`]: [{ id: 'my-thing' }] } },
    });
    expect([...inside.keys()]).toContain('tsconfig.spec.json');
    for (const [path, text] of inside) expect(text, path).not.toMatch(/__[A-Za-z]+__/);
  }
});

it('are refused with every problem of their names, and where a directory is taken', async () => {
  const wrong = { kind: 'backend', id: '../x', packageName: 'A B', place: 'standalone' } as const;
  await expect(pluginFiles(wrong)).rejects.toMatchObject({
    code: 'GVU_CREATE_OPTIONS',
    details: { problems: [expect.stringContaining('../x'), expect.stringContaining('A B')] },
  });
  await expect(
    writePlugin(join(folder, 'reward'), { kind: 'reward', id: 'x', place: 'standalone' }),
  ).rejects.toMatchObject({
    code: 'GVU_CREATE_DIRECTORY',
  });
});

it('are made by the command line, which says what it does not understand', { timeout: 60_000 }, async () => {
  const main = join(import.meta.dirname, '../src/main.ts');
  const command = (...words: readonly string[]) =>
    run(process.execPath, ['--conditions=@gvu/source', '--import', tsx, main, ...words], { cwd: folder });
  const { stdout } = await command('reward', 'foo', '--package', '@acme/gvu-foo');
  expect(stdout).toContain('cd acme-gvu-foo');
  const { name } = JSON.parse(await readFile(join(folder, 'acme-gvu-foo/package.json'), 'utf8'));
  expect(name).toBe('@acme/gvu-foo');
  for (const words of [['dream', 'foo'], ['reward'], ['reward', 'foo', '--colour', 'red']])
    await expect(command(...words)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('usage: npm create'),
    });
});

/** Loads the installed plugins by name and uses each. */
const program = `
import { PluginHost, randomStream, throwIfFailed } from '@gvu/core';
import { backends } from '@gvu/models';
import { Runtime } from '@gvu/onnx';
import { rewards } from '@gvu/rewards';
import { algorithms } from '@gvu/rl';

await using runtime = await Runtime.create({ threads: 1 });
await using host = new PluginHost({ projectDirectory: process.cwd() });
for (const point of [backends, rewards, algorithms]) host.registerContributionPoint(point);
throwIfFailed(await host.load(['gvu-backend-my-backend', 'gvu-reward-my-reward', 'gvu-algorithm-my-algorithm']));
const backend = await host.create(backends, 'my-backend', { deps: { runtime } });
const reward = await host.create(rewards, 'my-reward', { deps: { seed: 1, reader: () => undefined } });
const algorithm = await host.create(algorithms, 'my-algorithm', { deps: undefined });
const [drawing] = await backend.draw([{ prompt: 'a dog', randomness: randomStream(1, 'test').at(0) }]);
const address = { step: 0, prompt: 0, sample: 0 };
const pixels = { width: 1, height: 1, data: new Uint8Array(3).fill(255) };
const { values } = await reward.score([{ prompt: 'a dog', address, pixels }], { signal: new AbortController().signal });
const names = [backend, reward, algorithm].map(({ name }) => name);
process.stdout.write(JSON.stringify({ names, decisions: drawing.tokens.length, value: values }));
`;
