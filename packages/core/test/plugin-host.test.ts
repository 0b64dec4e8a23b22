/** The plugin host with plugins on disk: whole ones, one by one and together. Broken ones: `plugin-host-broken.test.ts`. */
import { symlink } from 'node:fs/promises';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { contributionPoint } from '../src/plugins/contribution-point.ts';
import { PluginHost, type PluginHostOptions } from '../src/plugins/host.ts';
import { definePlugin, type PluginContext } from '../src/plugins/plugin-api.ts';
import type { PluginLogEntry } from '../src/plugins/plugin-scope.ts';
import { formatPluginProblem, loadPhases, throwIfFailed } from '../src/plugins/report.ts';
import { ServiceRegistry, serviceToken } from '../src/services.ts';
import { PluginProject, takeJournal } from './plugin-project.ts';

interface Tool {
  use(): string;
}

const tools = contributionPoint<Tool, { prefix: string }>({
  kind: 'tools',
  description: 'Tools that say something.',
  entrySchema: { properties: { sound: { description: 'What it says.', type: 'string' } }, required: ['sound'] },
});
const makers = contributionPoint<Tool>({ kind: 'makers', description: 'Makers of tools.' });

function hostFor(project: PluginProject, options: Omit<PluginHostOptions, 'projectDirectory'> = {}): PluginHost {
  const host = new PluginHost({ projectDirectory: project.directory, ...options });
  host.registerContributionPoint(tools);
  host.registerContributionPoint(makers);
  return host;
}

/** A plugin with one tool of its own id. */
const hammer = {
  gvu: { contributes: { tools: [{ id: 'hammer', sound: 'bang', options: './schema/hammer.json' }] } },
  setup: `context.provide(tools, 'hammer', async (options, deps) => ({ use: () => deps.prefix + 'bang'.repeat(options.times) }));`,
  files: {
    'schema/hammer.json': {
      type: 'object',
      properties: { times: { type: 'integer', minimum: 1, default: 2 } },
      additionalProperties: false,
    },
  },
};

describe('options of the host', () => {
  test.each([Number.POSITIVE_INFINITY, Number.NaN, 0, -1, 2 ** 31])('a time limit of %s is refused', (timeLimitMs) => {
    const make = () => new PluginHost({ projectDirectory: '.', timeLimitMs });
    expect(make).toThrow(
      expect.objectContaining({
        code: 'GVU_PLUGIN_HOST_OPTIONS',
        message: expect.stringContaining(`timeLimitMs must be a number from 1 to 2147483647, but is ${timeLimitMs}.`),
      }),
    );
  });

  test('undefined is the default', async () => {
    await using project = await PluginProject.create();
    await project.add('@acme/slow', {
      setup: `await new Promise((resolve) => setTimeout(resolve, 50)); context.logger.info('set up');`,
    });
    const options = { services: undefined, allowIncompatible: undefined, timeLimitMs: undefined, log: undefined };
    await using host = hostFor(project, options);
    throwIfFailed(await host.load(['@acme/slow']));
  });
});

describe('a plugin from the list to an instance', () => {
  test('may bring very many contributions', { timeout: 30_000 }, async () => {
    await using project = await PluginProject.create();
    const count = 20_000;
    const makerEntries = Array.from({ length: count }, (_, i) => ({ id: `m${i}` }));
    await project.add('@acme/many', {
      gvu: { contributes: { makers: makerEntries } },
      setup: `for (let i = 0; i < ${count}; i++) context.provide(makers, 'm' + i, () => ({ use: () => String(i) }));`,
    });
    await using host = hostFor(project);
    const report = await host.load(['@acme/many']);
    throwIfFailed(report);
    // Comparing every declared name with every provided one took over a minute.
    expect(report.plugins[0]?.timesMs.ready).toBeLessThan(2000);
    expect((await host.create(makers, `m${count - 1}`, { deps: undefined })).use()).toBe(String(count - 1));
  });

  test('is found by name, loaded and used with its defaults and its deps', async () => {
    await using project = await PluginProject.create();
    const directory = await project.add('@acme/hammer', hammer);
    await using host = hostFor(project);
    const report = await host.load(['@acme/hammer']);
    throwIfFailed(report);

    expect(report.problems).toEqual([]);
    expect(report.plugins).toMatchObject([
      {
        specifier: '@acme/hammer',
        name: '@acme/hammer',
        version: '1.2.0',
        directory,
        state: 'ready',
        contributions: ['tools/hammer'],
      },
    ]);
    const tool = await host.create(tools, 'hammer', { deps: { prefix: 'go ' } });
    expectTypeOf(tool).toEqualTypeOf<Tool>();
    expect(tool.use()).toBe('go bangbang');
    expect((await host.create(tools, 'tools/hammer', { options: { times: 1 }, deps: { prefix: '' } })).use()).toBe(
      'bang',
    );
  });

  test('shows what its manifest says without an instance', async () => {
    await using project = await PluginProject.create();
    const directory = await project.add('@acme/hammer', hammer);
    await using host = hostFor(project);
    await host.load(['@acme/hammer']);
    expect(host.find('hammer')).toMatchObject({
      kind: 'tools',
      id: 'hammer',
      facts: { sound: 'bang' },
      plugin: { name: '@acme/hammer', version: '1.2.0', directory },
      options: { schema: hammer.files['schema/hammer.json'] },
    });
    expect(host.contributions()).toEqual(host.contributions('tools'));
    expect(host.contributions('makers')).toEqual([]);
  });

  test('is found by relative and by absolute path, and in a node_modules further up', async () => {
    await using project = await PluginProject.create();
    await project.add('one', {}, 'local/one');
    const two = await project.add('two', {}, 'two');
    await project.add('three');
    await using host = new PluginHost({ projectDirectory: `${project.directory}/local` });
    const report = await host.load(['./one', '../two', two, 'three', 'three', './one/']);
    expect(report.plugins.map(({ name, state }) => `${name} ${state}`)).toEqual([
      'one ready',
      'two ready',
      'three ready',
    ]);
  });

  test('is one plugin however it is reached: a link in node_modules, as in a workspace, and its own place', async () => {
    await using project = await PluginProject.create();
    const directory = await project.add('mine', {}, 'packages/mine');
    await project.add('other');
    await symlink(directory, `${project.directory}/node_modules/mine`);
    await using host = hostFor(project);
    const report = await host.load(['mine', './packages/mine']);
    expect(report.plugins).toMatchObject([{ specifier: 'mine', directory, state: 'ready' }]);
  });

  test('goes through the phases with all the others, and each phase is timed', async () => {
    await using project = await PluginProject.create();
    const entry = (name: string): string => `
      globalThis.gvuTestJournal ??= [];
      globalThis.gvuTestJournal.push('import ${name}');
      export default { [Symbol.for('gvu.plugin')]: true, async setup() {
        await new Promise((resolve) => setTimeout(resolve, 20));
        globalThis.gvuTestJournal.push('setup ${name}');
      } };`;
    for (const name of ['a', 'b']) await project.add(name, { entry: entry(name) });
    await using host = hostFor(project);
    takeJournal();
    const report = await host.load(['a', 'b']);
    expect(takeJournal()).toEqual(['import a', 'import b', 'setup a', 'setup b']);
    for (const { timesMs } of report.plugins) {
      expect(Object.keys(timesMs)).toEqual([...loadPhases]);
      expect(timesMs.setup).toBeGreaterThan(15);
      expect(timesMs.setup).toBeLessThan(5000);
    }
  });

  test('of which an earlier load has been made is passed over', async () => {
    await using project = await PluginProject.create();
    await project.add('@acme/hammer', hammer);
    await project.add('late', { gvu: { dependsOn: ['@acme/hammer'] } });
    await using host = hostFor(project);
    const [first, second] = await Promise.all([host.load(['@acme/hammer']), host.load(['@acme/hammer', 'late'])]);
    expect(second.problems).toEqual([]);
    expect(second.plugins[0]).toBe(first.plugins[0]);
    expect(second.plugins.map(({ state }) => state)).toEqual(['ready', 'ready']);
  });

  test('is set up after what it depends on, and unloaded before', async () => {
    await using project = await PluginProject.create();
    const setup = (name: string): string => `
      journal.push('set up ${name}');
      context.onDispose(() => journal.push('${name}, first'));
      context.onDispose(async () => { await null; journal.push('${name}, second'); });
      context.signal.addEventListener('abort', () => journal.push('${name}, aborted'));`;
    await project.add('roof', { setup: setup('roof'), gvu: { dependsOn: ['walls'] } });
    await project.add('walls', { setup: setup('walls'), gvu: { dependsOn: ['floor'] } });
    await project.add('floor', { setup: setup('floor') });
    const host = hostFor(project);
    takeJournal();
    throwIfFailed(await host.load(['roof', 'floor', 'walls']));
    expect(takeJournal()).toEqual(['set up floor', 'set up walls', 'set up roof']);
    await host[Symbol.asyncDispose]();
    await host[Symbol.asyncDispose]();
    expect(takeJournal()).toEqual(
      ['roof', 'walls', 'floor'].flatMap((name) => [`${name}, aborted`, `${name}, second`, `${name}, first`]),
    );
  });

  test('runs from its source while the host does', async () => {
    await using project = await PluginProject.create();
    await project.add('built', {
      entry: 'throw new Error("this is the build");',
      gvu: { source: './src/index.ts' },
      files: {
        'src/index.ts': `const setup: () => void = () => {}; export default { setup, [Symbol.for('gvu.plugin')]: true as const };`,
      },
    });
    await using host = hostFor(project);
    throwIfFailed(await host.load(['built']));
  });
});

describe('the context', () => {
  test('has what was promised and nothing else, and can be taken apart', async () => {
    await using project = await PluginProject.create();
    await project.add('curious', {
      setup: `
        const { provide, get, onDispose, signal, logger } = context;
        journal.push(Object.keys(context).sort().join(' '), signal.aborted, Object.isFrozen(context));
        logger.warn('careful', { step: 3 });
        const clock = { name: 'test/clock', key: Symbol.for('gvu.service:test/clock') };
        journal.push(get(clock).now());
        provide(makers, 'm', () => ({ use: () => 'made' }));`,
      gvu: { contributes: { makers: [{ id: 'm' }] } },
    });
    const logged: PluginLogEntry[] = [];
    await using services = new ServiceRegistry('run');
    services.provideValue(serviceToken<{ now(): number }>('test/clock'), { now: () => 42 });
    await using host = hostFor(project, { services, log: (entry) => logged.push(entry) });
    takeJournal();
    throwIfFailed(await host.load(['curious']));
    expect(takeJournal()).toEqual(['get logger onDispose provide signal', false, true, 42]);
    expect(logged).toEqual([{ plugin: 'curious@1.2.0', level: 'warn', message: 'careful', data: { step: 3 } }]);
    expect((await host.create(makers, 'm', { deps: undefined })).use()).toBe('made');
  });

  test('is typed by the points: deps and result of a factory are checked', () => {
    const typed = (context: PluginContext): void => {
      context.provide(tools, 'a', (options: { times: number }, deps) => ({
        use: () => deps.prefix.repeat(options.times),
      }));
      context.provide(tools, 'b', async () => ({ use: () => '', extra: true }));
      // @ts-expect-error a tool can be used
      context.provide(tools, 'c', () => ({}));
      // @ts-expect-error there is no such dependency
      context.provide(tools, 'd', (_options: unknown, deps: { suffix: string }) => ({ use: () => deps.suffix }));
    };
    expect(definePlugin({ setup: typed })).toHaveProperty('setup', typed);
  });

  test('provides nothing after set-up', async () => {
    await using project = await PluginProject.create();
    await project.add('late', {
      setup: `setTimeout(() => { try { context.provide(makers, 'm', () => {}); } catch (error) { journal.push(error.code); } }, 5);`,
    });
    await using host = hostFor(project);
    takeJournal();
    throwIfFailed(await host.load(['late']));
    await expect.poll(takeJournal, { timeout: 20_000 }).toEqual(['GVU_PLUGIN_CONTEXT_CLOSED']);
    expect(host.contributions()).toEqual([]);
  });
});

describe('looking up', () => {
  async function hostWithThree(project: PluginProject): Promise<PluginHost> {
    const provide = (point: string, id: string): string =>
      `context.provide(${point}, '${id}', () => ({ use: () => '${id}' }));`;
    await project.add('a', {
      gvu: { contributes: { tools: [{ id: 'saw', sound: 'rrr' }], makers: [{ id: 'oven' }] } },
      setup: provide('tools', 'saw') + provide('makers', 'oven'),
    });
    await project.add('b', { gvu: { contributes: { makers: [{ id: 'saw' }] } }, setup: provide('makers', 'saw') });
    const host = hostFor(project);
    throwIfFailed(await host.load(['a', 'b']));
    return host;
  }

  test('an id alone is enough where one kind has it; with a point only its kind counts', async () => {
    await using project = await PluginProject.create();
    await using host = await hostWithThree(project);
    expect(host.find('oven').kind).toBe('makers');
    expect(host.find('tools/saw').kind).toBe('tools');
    expect(() => host.find('saw')).toThrow(
      'GVU_PLUGIN_CONTRIBUTION_AMBIGUOUS: "saw" may be tools/saw and makers/saw. Write the kind too.',
    );
    expect((await host.create(makers, 'saw', { deps: undefined })).use()).toBe('saw');
  });

  test.each([
    ['oben', 'Did you mean "oven"?'],
    ['maker/oven', 'Did you mean "makers/oven"?'],
    ['something-else', 'Known are: tools/saw, makers/oven, makers/saw.'],
  ])('%s is unknown, with help', async (reference, help) => {
    await using project = await PluginProject.create();
    await using host = await hostWithThree(project);
    expect(() => host.find(reference)).toThrow(help);
  });

  test('what is of another kind is said to be', async () => {
    await using project = await PluginProject.create();
    await using host = await hostWithThree(project);
    const making = host.create(tools, 'makers/oven', { deps: { prefix: '' } });
    await expect(making).rejects.toThrow(
      'contributes "makers/oven" to tools. There is makers/oven, which is of another kind.',
    );
  });
});

describe('creating', () => {
  test('refuses options that do not fit, all at once, naming the plugin', async () => {
    await using project = await PluginProject.create();
    await project.add('@acme/hammer', hammer);
    await using host = hostFor(project);
    await host.load(['@acme/hammer']);
    const making = host.create(tools, 'hammer', { options: { times: 0, time: 1 }, deps: { prefix: '' } });
    await expect(making).rejects.toMatchObject({
      code: 'GVU_PLUGIN_OPTIONS_INVALID',
      message: expect.stringMatching(
        /: The configuration of tools\/hammer \(plugin @acme\/hammer@1\.2\.0\) has 2 problems/,
      ),
      details: {
        plugin: '@acme/hammer@1.2.0',
        contribution: 'tools/hammer',
        problems: [{ pointer: '/time' }, { pointer: '/times' }],
      },
    });
  });

  test('takes no options where no schema is named', async () => {
    await using project = await PluginProject.create();
    await project.add('m', {
      gvu: { contributes: { makers: [{ id: 'm' }] } },
      setup: `context.provide(makers, 'm', (options) => ({ use: () => JSON.stringify(options) }));`,
    });
    await using host = hostFor(project);
    await host.load(['m']);
    expect((await host.create(makers, 'm', { deps: undefined })).use()).toBe('{}');
    const making = host.create(makers, 'm', { options: { size: 1 }, deps: undefined });
    await expect(making).rejects.toMatchObject({ code: 'GVU_PLUGIN_OPTIONS_INVALID' });
  });

  test('names plugin and contribution when the factory throws, and keeps the cause', async () => {
    await using project = await PluginProject.create();
    await project.add('m', {
      gvu: { contributes: { makers: [{ id: 'm' }] } },
      setup: `context.provide(makers, 'm', async () => { throw new RangeError('out of wood'); });`,
    });
    await using host = hostFor(project);
    await host.load(['m']);
    await expect(host.create(makers, 'm', { deps: undefined })).rejects.toMatchObject({
      code: 'GVU_PLUGIN_CREATE_FAILED',
      message: 'GVU_PLUGIN_CREATE_FAILED: Creating makers/m (plugin m@1.2.0) threw RangeError: out of wood',
      cause: { name: 'RangeError' },
    });
  });
});

describe('registering', () => {
  test('refuses what would make manifests ambiguous', async () => {
    await using project = await PluginProject.create();
    await using host = hostFor(project);
    const refused = { code: 'GVU_PLUGIN_REGISTRATION' };
    const register =
      (kind: string, properties = {}) =>
      () =>
        host.registerContributionPoint(contributionPoint({ kind, description: '', entrySchema: { properties } }));
    expect(register('tools')).toThrow(expect.objectContaining(refused));
    expect(register('no kind')).toThrow(expect.objectContaining(refused));
    expect(register('x', { id: { type: 'string' } })).toThrow('cannot define id anew');
    expect(register('x', { size: { type: 'nubmer' } })).toThrow('The entry schema of "x" is broken');
    host.registerRequirement({ name: 'drivers', unmet: () => undefined });
    expect(() => host.registerRequirement({ name: 'drivers', unmet: () => undefined })).toThrow(
      expect.objectContaining(refused),
    );
    expect(() => host.registerRequirement({ name: 'optional', unmet: () => undefined })).toThrow(
      expect.objectContaining(refused),
    );
  });
});

describe('requirements and versions', () => {
  test('are checked by who registered them; what is optional only warns', async () => {
    await using project = await PluginProject.create();
    await project.add('has', { gvu: { requires: { drivers: ['cpu'] } } });
    await project.add('has-not', { gvu: { requires: { drivers: ['cpu', 'gpu', 'tpu'] } } });
    await project.add('content', { gvu: { requires: { drivers: ['gpu'], optional: true } } });
    await using host = hostFor(project);
    host.registerRequirement({
      name: 'drivers',
      unmet: async (name) => {
        if (name === 'tpu') throw new Error('the bus is down');
        return name === 'cpu' ? undefined : `There is no ${name} here; buy one.`;
      },
    });
    const report = await host.load(['has', 'has-not', 'content']);
    expect(report.plugins.map(({ state }) => state)).toEqual(['ready', 'failed', 'ready']);
    expect(report.problems.map(formatPluginProblem)).toEqual([
      '[plugin has-not@1.2.0 · requires] GVU_PLUGIN_REQUIRES: It requires drivers "gpu". There is no gpu here; buy one.',
      '[plugin has-not@1.2.0 · requires] GVU_PLUGIN_REQUIRES: It requires drivers "tpu", and the check failed: Error: the bus is down',
      '[plugin content@1.2.0 · requires] GVU_PLUGIN_REQUIRES: It requires drivers "gpu". There is no gpu here; buy one.',
    ]);
    expect(report.problems.map(({ severity }) => severity)).toEqual(['error', 'error', 'warning']);
  });

  test('another plugin API is refused unless the user lets that plugin in, which is recorded', async () => {
    await using project = await PluginProject.create();
    await project.add('tomorrow', { gvu: { api: '^9.1' } });
    await project.add('next-week', { gvu: { api: '^9.1' } });
    await using host = hostFor(project, { allowIncompatible: ['tomorrow'] });
    const report = await host.load(['tomorrow', 'next-week']);
    expect(report.plugins).toMatchObject([
      { name: 'tomorrow', state: 'ready', allowedIncompatible: { range: '^9.1', api: '0.1.0' } },
      { name: 'next-week', state: 'failed' },
    ]);
    expect(report.plugins[1]).not.toHaveProperty('allowedIncompatible');
    const [warning, error] = report.problems;
    expect(warning).toMatchObject({ plugin: 'tomorrow@1.2.0', phase: 'api', severity: 'warning' });
    expect(error && formatPluginProblem(error)).toBe(
      '[plugin next-week@1.2.0 · api] GVU_PLUGIN_API_MISMATCH: It needs plugin API ^9.1, and this host has 0.1.0. Install a version of next-week for plugin API 0.1.0, or allow "next-week" to be incompatible.',
    );
  });
});
