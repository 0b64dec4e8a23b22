/**
 * The host under Node itself, without the test runner's module loader, and with a plugin that brings its own copy of
 * `@gvu/core`: tokens, points, the mark of a plugin and errors must be recognised across the two copies.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { PluginProject } from './plugin-project.ts';

const core = join(import.meta.dirname, '..');
const modules = join(core, '../../node_modules');

const plugin = `
import { GvuError, contributionPoint, definePlugin, serviceToken } from '@gvu/core';
export const copy = GvuError;
const tools = contributionPoint({ kind: 'tools', description: 'The same kind, by another copy.' });
export default definePlugin({
  setup({ provide, get }) {
    const clock = get(serviceToken('test/clock'));
    provide(tools, 'saw', (options, deps) => ({ use: () => deps.prefix + clock.now() }));
    provide(tools, 'axe', () => { throw new GvuError('GVU_TEST_CODE', 'thrown by the copy.'); });
  },
});`;

const host = (entry: string): string => `
import { GvuError, PluginHost, ServiceRegistry, contributionPoint, isGvuError, serviceToken, throwIfFailed } from ${JSON.stringify(pathToFileURL(join(core, 'src/index.ts')).href)};
import { copy } from ${JSON.stringify(entry)};
const tools = contributionPoint({ kind: 'tools', description: 'Tools.' });
const services = new ServiceRegistry('run');
services.provideValue(serviceToken('test/clock'), { now: () => 42 });
const host = new PluginHost({ projectDirectory: import.meta.dirname, services });
host.registerContributionPoint(tools);
throwIfFailed(await host.load(['copier']));
const saw = await host.create(tools, 'saw', { deps: { prefix: 'at ' } });
const error = await host.create(tools, 'axe', { deps: {} }).catch((thrown) => thrown);
await host[Symbol.asyncDispose]();
console.log(JSON.stringify({
  sameClass: copy === GvuError, said: saw.use(), message: error.message, cause: isGvuError(error.cause, 'GVU_TEST_CODE'),
}));`;

test('two copies of core in one process agree', async () => {
  await using project = await PluginProject.create();
  const at = await project.add('copier', {
    entry: plugin,
    gvu: { contributes: { tools: [{ id: 'saw' }, { id: 'axe' }] } },
  });
  const copied = join(at, 'node_modules/@gvu/core');
  for (const path of ['package.json', 'src']) await cp(join(core, path), join(copied, path), { recursive: true });
  for (const dependency of ['ajv', 'reflect-metadata', 'semver', 'tsyringe']) {
    const link = join(copied, 'node_modules', dependency);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(modules, dependency), link);
  }
  await project.write('host.mjs', host(pathToFileURL(join(at, 'index.js')).href));

  const loader = pathToFileURL(join(modules, 'tsx/dist/loader.mjs')).href;
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=@gvu/source',
    `--import=${loader}`,
    join(project.directory, 'host.mjs'),
  ]);
  expect(JSON.parse(stdout)).toEqual({
    sameClass: false,
    said: 'at 42',
    message:
      'GVU_PLUGIN_CREATE_FAILED: Creating tools/axe (plugin copier@1.2.0) threw GVU_TEST_CODE: thrown by the copy.',
    cause: true,
  });
});
