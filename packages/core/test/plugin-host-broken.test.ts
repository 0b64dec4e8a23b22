/** The plugin host with broken plugins of every kind: each is reported under its code, and the whole ones are loaded. */
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { contributionPoint } from '../src/plugins/contribution-point.ts';
import { PluginHost, type PluginHostOptions } from '../src/plugins/host.ts';
import { formatPluginProblem, type PluginReport, throwIfFailed } from '../src/plugins/report.ts';
import { type PluginFiles, PluginProject, takeJournal } from './plugin-project.ts';

/** Short for a test that waits for it to pass, long for whole plugins on a busy machine. */
const shortLimitMs = 500;
const patient = { timeout: 20_000 };

const tools = contributionPoint<{ use(): string }>({ kind: 'tools', description: 'Tools.' });
const makers = contributionPoint<{ use(): string }>({ kind: 'makers', description: 'Makers of tools.' });

function hostFor(project: PluginProject, options: Omit<PluginHostOptions, 'projectDirectory'> = {}): PluginHost {
  const host = new PluginHost({ projectDirectory: project.directory, ...options });
  host.registerContributionPoint(tools);
  host.registerContributionPoint(makers);
  return host;
}

const lines = (report: PluginReport): string[] => report.problems.map(formatPluginProblem);
const states = (report: PluginReport): string => report.plugins.map(({ state }) => state).join(' ');

/** Contributes the tool of this id. */
const toolPlugin = (id: string): PluginFiles => ({
  gvu: { contributes: { tools: [{ id }] } },
  setup: `context.provide(tools, '${id}', () => ({ use: () => '${id}' }));`,
});

/** Loads `broken` between two whole plugins, which must come through; returns the lines about the broken one. */
async function loadBroken(
  broken: PluginFiles | undefined,
  options: {
    host?: Omit<PluginHostOptions, 'projectDirectory'>;
    phase: string;
    prepare?: (project: PluginProject) => Promise<void>;
  },
): Promise<string[]> {
  await using project = await PluginProject.create();
  await project.add('before', toolPlugin('before'));
  await project.add('after', toolPlugin('after'));
  if (broken !== undefined) await project.add('broken', broken);
  await options.prepare?.(project);
  await using host = hostFor(project, options.host);
  const report = await host.load(['before', 'broken', 'after']);
  expect(states(report)).toBe('ready failed ready');
  expect(host.contributions().map(({ id }) => id)).toEqual(['before', 'after']);
  return lines(report).map((line) => {
    const [prefix, phase] = /^\[plugin broken(?:@[\d.]+)? · (\w+)\] /.exec(line) ?? [];
    expect(phase, line).toBe(options.phase);
    return line.slice(prefix?.length).replaceAll(project.directory, '<project>');
  });
}

describe('read', () => {
  test('not installed', async () => {
    expect(await loadBroken(undefined, { phase: 'read' })).toEqual([
      'GVU_PLUGIN_NOT_FOUND: Package "broken" is in no node_modules from <project> upwards. Install it with "npm install broken".',
    ]);
  });

  test('misspelt: the nearest installed name, in a scope too', async () => {
    await using project = await PluginProject.create();
    await project.add('@acme/gvu-backend-foo');
    await using host = hostFor(project);
    const [line] = lines(await host.load(['@acme/gvu-backend-fo']));
    expect(line).toContain('Did you mean "@acme/gvu-backend-foo"?');
  });

  test('neither a package name nor a path, and a path without a package', async () => {
    await using project = await PluginProject.create();
    await project.write('empty/readme.md', '');
    await using host = hostFor(project);
    const report = await host.load(['a/../../b', 'file:x', '', 'x/y', './empty', '../nowhere']);
    expect(states(report)).toBe('failed failed failed failed failed failed');
    for (const { error } of report.problems) expect(error.code).toBe('GVU_PLUGIN_NOT_FOUND');
    expect(lines(report)[0]).toContain('"a/../../b" is not the name of a package.');
    expect(lines(report)[4]).toContain(`There is no package.json in ${project.directory}/empty.`);
  });

  test('a package that is no plugin', async () => {
    expect(await loadBroken({ packageJson: { gvu: undefined } }, { phase: 'read' })).toEqual([
      'GVU_PLUGIN_MANIFEST_MISSING: <project>/node_modules/broken/package.json has no key "gvu", so the package is not a plugin. List only plugins; the author of a plugin declares it under "gvu".',
    ]);
  });

  test('a package.json that is not JSON', async () => {
    await using project = await PluginProject.create();
    await project.write('node_modules/broken/package.json', '{ "gvu": ');
    await using host = hostFor(project);
    const [line] = lines(await host.load(['broken']));
    expect(line).toMatch(
      /^\[plugin broken · read\] GVU_PLUGIN_MANIFEST_INVALID: .*package\.json cannot be read: SyntaxError: /,
    );
  });
});

describe('manifest', () => {
  test('every problem at once, each with its pointer', async () => {
    const found = await loadBroken(
      {
        packageJson: { version: '1.2' },
        gvu: {
          api: '*',
          entri: './x.js',
          dependsOn: 'core',
          contributes: { tools: [{ id: 'Big Hammer', optoins: './x.json' }, {}] },
        },
      },
      { phase: 'manifest' },
    );
    expect(found).toMatchInlineSnapshot(`
      [
        "GVU_PLUGIN_MANIFEST_INVALID: <project>/node_modules/broken/package.json has 7 problems.
        /gvu/entri is not a known key. Did you mean "entry"?
        /gvu/contributes/tools/0/optoins is not a known key. Did you mean "options"?
        /gvu/contributes/tools/0/id must be a string (matching /^[a-z0-9]+(-[a-z0-9]+)*$/), but is "Big Hammer".
        /gvu/contributes/tools/1/id is missing; it must be a string (matching /^[a-z0-9]+(-[a-z0-9]+)*$/).
        /gvu/dependsOn must be an array (no item twice), but is "core".
        /gvu/api must have an end, but "*" takes in every later version. Write for example "^0.1.0".
        /version must be a version such as "1.2.0", but is "1.2".",
      ]
    `);
  });

  test('with very many problems, of which the message shows some', async () => {
    const entries = Array.from({ length: 200 }, () => ({ id: 'Big' }));
    const [message = ''] = await loadBroken({ gvu: { contributes: { tools: entries } } }, { phase: 'manifest' });
    expect(message).toContain('has 200 problems.');
    expect(message.split('\n')).toHaveLength(32);
    expect(message).toMatch(/and 170 more\.$/);
  });

  test('a kind that nobody registered', async () => {
    expect(await loadBroken({ gvu: { contributes: { tool: [], metrics: [] } } }, { phase: 'manifest' })).toEqual([
      'GVU_PLUGIN_KIND_UNKNOWN: The manifest contributes to "tool", a kind that no package has registered. Did you mean "tools"? Registered are: tools, makers.',
      'GVU_PLUGIN_KIND_UNKNOWN: The manifest contributes to "metrics", a kind that no package has registered. Registered are: tools, makers.',
    ]);
  });

  test.each([['../../index.js'], ['/etc/passwd'], ['.'], ['..'], ['./link.js'], ['./linked/index.js']])(
    'an entry outside of the package: %s',
    async (entry) => {
      const found = await loadBroken(
        { gvu: { entry }, entry: `globalThis.gvuTestJournal.push('ran');` },
        {
          phase: 'manifest',
          prepare: async (project) => {
            await project.write('outside/index.js', `globalThis.gvuTestJournal.push('ran outside');`);
            const directory = join(project.directory, 'node_modules/broken');
            await symlink(join(project.directory, 'outside/index.js'), join(directory, 'link.js'));
            await symlink(join(project.directory, 'outside'), join(directory, 'linked'));
          },
        },
      );
      expect(found).toHaveLength(1);
      expect(found[0]).toMatch(/^GVU_PLUGIN_PATH_ESCAPE: \/gvu\/entry must be a path inside the package, but /);
    },
  );

  test('an entry that is not there, or a directory', async () => {
    const missing =
      'GVU_PLUGIN_ENTRY_MISSING: /gvu/entry names ./dist/index.js, but <project>/node_modules/broken/dist/index.js is not a file.';
    expect((await loadBroken({ gvu: { entry: './dist/index.js' } }, { phase: 'manifest' }))[0]).toContain(missing);
    const found = await loadBroken(
      { gvu: { entry: './dist/index.js' }, files: { 'dist/index.js/readme.md': '' } },
      { phase: 'manifest' },
    );
    expect(found[0]).toContain(missing);
  });

  test.each([
    ['not there', undefined, 'names ./options.json, but <project>/node_modules/broken/options.json is not a file.'],
    ['not JSON', '{', 'which cannot be used: SyntaxError: '],
    ['not a schema', { type: 'objekt', additionalProperties: false }, 'is not a valid JSON Schema.\n  /type must be'],
    ['not about an object', { type: 'string' }, 'it must say "type": "object" and "additionalProperties": false'],
    ['open', { type: 'object' }, 'so that a misspelt option is noticed.'],
    [
      'referring elsewhere',
      { type: 'object', additionalProperties: false, properties: { a: { $ref: 'https://example.org/a' } } },
      'cannot be compiled: ',
    ],
  ])('a schema of options that is %s', async (_, schema, message) => {
    const found = await loadBroken(
      {
        ...toolPlugin('t'),
        gvu: { contributes: { tools: [{ id: 't', options: './options.json' }] } },
        files: schema === undefined ? {} : { 'options.json': schema },
      },
      { phase: 'manifest' },
    );
    expect(found).toHaveLength(1);
    expect(found[0]).toContain('GVU_PLUGIN_OPTIONS_SCHEMA: /gvu/contributes/tools/0/options names ./options.json, ');
    expect(found[0]).toContain(message);
  });

  test('a schema of options outside of the package', async () => {
    const gvu = { contributes: { tools: [{ id: 't', options: '../before/package.json' }] } };
    expect(await loadBroken({ ...toolPlugin('t'), gvu }, { phase: 'manifest' })).toEqual([
      'GVU_PLUGIN_PATH_ESCAPE: /gvu/contributes/tools/0/options must be a path inside the package, but is "../before/package.json".',
    ]);
  });

  test('no code ran in any of these', async () => {
    takeJournal();
    await loadBroken({ gvu: { api: '*' }, entry: `globalThis.gvuTestJournal.push('ran');` }, { phase: 'manifest' });
    await loadBroken({ gvu: { api: '^9.0' }, entry: `globalThis.gvuTestJournal.push('ran');` }, { phase: 'api' });
    await loadBroken(
      { gvu: { requires: { drivers: ['x'] } }, entry: `globalThis.gvuTestJournal.push('ran');` },
      { phase: 'requires' },
    );
    expect(takeJournal()).toEqual([]);
  });
});

describe('requires', () => {
  test('a requirement that nobody can check', async () => {
    expect(await loadBroken({ gvu: { requires: { drivers: ['gpu'] } } }, { phase: 'requires' })).toEqual([
      'GVU_PLUGIN_REQUIRES: It requires drivers "gpu", which no package of this host can check. Known are: none.',
    ]);
  });
});

describe('order', () => {
  test('the same id twice: both places, the first one listed stays', async () => {
    await using project = await PluginProject.create();
    const first = await project.add('zebra', toolPlugin('saw'));
    const second = await project.add('ant', toolPlugin('saw'));
    await project.add('twice', { gvu: { contributes: { makers: [{ id: 'a' }, { id: 'a' }] } } });
    await using host = hostFor(project);
    const report = await host.load(['zebra', 'ant', 'twice']);
    expect(states(report)).toBe('ready failed failed');
    expect(lines(report)).toEqual([
      `[plugin ant@1.2.0 · order] GVU_PLUGIN_DUPLICATE_ID: "tools/saw" is contributed by ${first} and by ${second}. List only one of the two plugins, or rename the contribution.`,
      '[plugin twice@1.2.0 · order] GVU_PLUGIN_DUPLICATE_ID: The manifest declares "makers/a" twice. Rename one of them.',
    ]);
    expect(host.find('saw').plugin.name).toBe('zebra');
    const later = await host.load(['ant']);
    expect(lines(later)).toEqual(lines(report).slice(0, 1));
  });

  test('one name, two directories', async () => {
    await using project = await PluginProject.create();
    const installed = await project.add('same', toolPlugin('a'));
    const local = await project.add('same', toolPlugin('b'), 'local/same');
    await project.add('user', { gvu: { dependsOn: ['same'] } });
    await using host = hostFor(project);
    const report = await host.load(['same', './local/same', 'user']);
    expect(states(report)).toBe('ready failed ready');
    expect(lines(report)).toEqual([
      `[plugin same@1.2.0 · order] GVU_PLUGIN_DUPLICATE_NAME: "same" is listed as ${installed} and as ${local}. List one of them.`,
    ]);
  });

  test('dependencies that are missing or circular', async () => {
    await using project = await PluginProject.create();
    await project.add('alone', { gvu: { dependsOn: ['basement'] } });
    await project.add('basements');
    await project.add('egg', { gvu: { dependsOn: ['hen'] } });
    await project.add('hen', { gvu: { dependsOn: ['egg'] } });
    await project.add('farmer', { gvu: { dependsOn: ['hen'] } });
    await project.add('guest', { gvu: { dependsOn: ['farmer'] } });
    await using host = hostFor(project);
    const report = await host.load(['guest', 'alone', 'basements', 'egg', 'hen', 'farmer']);
    expect(states(report)).toBe('failed failed ready failed failed failed');
    expect(lines(report)).toEqual([
      '[plugin egg@1.2.0 · order] GVU_PLUGIN_DEPENDENCY_CYCLE: It depends on itself: hen -> egg -> hen.',
      '[plugin hen@1.2.0 · order] GVU_PLUGIN_DEPENDENCY_CYCLE: It depends on itself: hen -> egg -> hen.',
      '[plugin farmer@1.2.0 · order] GVU_PLUGIN_DEPENDENCY_FAILED: It depends on "hen", which failed. Mend hen@1.2.0 first: its problem is listed too.',
      '[plugin guest@1.2.0 · order] GVU_PLUGIN_DEPENDENCY_FAILED: It depends on "farmer", which failed. Mend farmer@1.2.0 first: its problem is listed too.',
      '[plugin alone@1.2.0 · order] GVU_PLUGIN_DEPENDENCY_MISSING: It depends on "basement", which is not listed. Did you mean "basements"? List it too.',
    ]);
  });

  test.each([
    ['read', { packageJson: { gvu: undefined } }],
    ['manifest', { gvu: { api: 'one' } }],
    ['import', { entry: 'throw new Error("no");' }],
    ['setup', { setup: 'throw new Error("no");' }],
    ['ready', { gvu: { contributes: { makers: [{ id: 'never' }] } } }],
  ])('what depends on a plugin that failed in %s fails with it, and is undone', async (phase, base) => {
    await using project = await PluginProject.create();
    await project.add('base', base);
    await project.add('middle', {
      ...toolPlugin('m'),
      gvu: { dependsOn: ['base'], contributes: { tools: [{ id: 'm' }] } },
      setup: `${toolPlugin('m').setup} context.onDispose(() => journal.push('middle undone'));`,
    });
    await project.add('top', {
      gvu: { dependsOn: ['middle'] },
      setup: `context.onDispose(() => journal.push('top undone'));`,
    });
    await using host = hostFor(project);
    takeJournal();
    const report = await host.load(['top', 'middle', 'base']);
    expect(states(report)).toBe('failed failed failed');
    expect(report.problems.map((problem) => problem.error.code).slice(1)).toEqual([
      'GVU_PLUGIN_DEPENDENCY_FAILED',
      'GVU_PLUGIN_DEPENDENCY_FAILED',
    ]);
    expect(report.problems[0]?.phase).toBe(phase);
    expect(takeJournal()).toEqual(phase === 'ready' ? ['top undone', 'middle undone'] : []);
    expect(host.contributions()).toEqual([]);
  });
});

describe('import', () => {
  test('that throws: cause and place', async () => {
    const [line] = await loadBroken(
      { entry: 'const deep = () => {\n  missing.call();\n};\ndeep();\nexport default 1;' },
      { phase: 'import' },
    );
    expect(line).toMatch(
      /^GVU_PLUGIN_IMPORT_FAILED: The import of .*index\.js threw ReferenceError: missing is not defined \(at index\.js:2:\d+\)/,
    );
  });

  test.each([
    ['a syntax error', 'export default {', /SyntaxError/],
    ['a dependency that is not installed', `import 'not-installed-anywhere';`, /not-installed-anywhere/],
    ['a value that is no error', `throw { reason: 'odd' };`, /threw \{ reason: 'odd' \}/],
    ['undefined', `throw undefined;`, /threw undefined/],
    ['a message that is no text', `throw Object.assign(new Error(), { message: Symbol('x') });`, /cannot be described/],
    ['a stack that is no text', `throw Object.assign(new Error('odd'), { stack: 5 });`, /threw Error: odd/],
    ['what throws when it is looked at', `throw new Proxy({}, { getPrototypeOf() { throw 1; } });`, /be described/],
    [
      'from what it exports',
      `export default { [Symbol.for('gvu.plugin')]: true, get setup() { throw new Error('mine'); } };`,
      /threw Error: mine/,
    ],
  ])('that throws %s', async (_, entry, message) => {
    const [line] = await loadBroken({ entry }, { phase: 'import' });
    expect(line).toMatch(/^GVU_PLUGIN_IMPORT_FAILED: /);
    expect(line).toMatch(message);
  });

  test('that never ends', async () => {
    const [line] = await loadBroken(
      { entry: 'await new Promise(() => {}); export default 1;' },
      { phase: 'import', host: { timeLimitMs: shortLimitMs } },
    );
    expect(line).toMatch(/^GVU_PLUGIN_TIMEOUT: The import of .* had not ended after 500 ms\./);
  });

  test.each([
    ['nothing', 'export const setup = () => {};', 'is missing, not a plugin'],
    ['a function', 'export default () => {};', 'is of type function, not a plugin'],
    ['null', 'export default null;', 'is of type null, not a plugin'],
    ['an object without the mark', 'export default { setup() {} };', 'is an object with the keys setup, not a plugin'],
    [
      'a mark without a set-up',
      `export default { [Symbol.for('gvu.plugin')]: true, set: 1 };`,
      'the keys set, not a plugin',
    ],
  ])('of an entry whose default export is %s', async (_, entry, message) => {
    const [line] = await loadBroken({ entry }, { phase: 'import' });
    expect(line).toMatch(/^GVU_PLUGIN_NOT_A_PLUGIN: The default export of .*index\.js /);
    expect(line).toContain(message);
  });
});

describe('setup', () => {
  test('that throws after it provided and opened things leaves no trace', async () => {
    takeJournal();
    const [line, ...more] = await loadBroken(
      {
        ...toolPlugin('hammer'),
        setup: `
          context.provide(tools, 'hammer', () => {});
          context.onDispose(() => journal.push('closed first'));
          context.onDispose(() => journal.push('closed second'));
          context.signal.addEventListener('abort', () => journal.push('aborted: ' + context.signal.reason.code));
          throw new TypeError('half-way');`,
      },
      { phase: 'setup' },
    );
    expect(line).toMatch(/^GVU_PLUGIN_SETUP_FAILED: setup\(\) threw TypeError: half-way \(at index\.js:\d+:\d+\)/);
    expect(more).toEqual([]);
    expect(takeJournal()).toEqual(['aborted: GVU_PLUGIN_SETUP_FAILED', 'closed second', 'closed first']);
  });

  test('that hangs is given up, its signal aborted, and what it does later has no effect', async () => {
    takeJournal();
    const found = await loadBroken(
      {
        setup: `
          context.onDispose(() => journal.push('closed'));
          await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
          journal.push(context.signal.reason.code);
          await new Promise((resolve) => setTimeout(resolve, 20));
          context.onDispose(() => journal.push('closed late'));
          try { context.provide(makers, 'late', () => {}); } catch (error) { journal.push(error.code); }
          throw new Error('nobody listens');`,
      },
      { phase: 'setup', host: { timeLimitMs: shortLimitMs } },
    );
    expect(found).toEqual([
      'GVU_PLUGIN_TIMEOUT: setup() had not ended after 500 ms. Move slow work into the factories, and pass the signal of the context on to what can hang.',
    ]);
    const ran: unknown[] = [];
    await expect.poll(() => ran.push(...takeJournal()), patient).toBe(4);
    expect([...ran].sort()).toEqual(['GVU_PLUGIN_CONTEXT_CLOSED', 'GVU_PLUGIN_TIMEOUT', 'closed', 'closed late']);
  });

  test('that calls provide() wrongly', async () => {
    const [line] = await loadBroken({ setup: `context.provide('tools', 'x', {});` }, { phase: 'setup' });
    expect(line).toContain('GVU_PLUGIN_CONTRIBUTION_MISMATCH: provide() was given (string, string, object).');
  });

  test('that asks for a service nobody provides', async () => {
    const [line] = await loadBroken(
      { setup: `context.get({ name: 'clock', key: Symbol.for('clock') });` },
      { phase: 'setup' },
    );
    expect(line).toContain('GVU_SERVICE_UNKNOWN: Scope "plugin broken@1.2.0" has no service "clock".');
  });

  test('that throws and cannot be undone either: both are reported', async () => {
    await using project = await PluginProject.create();
    await project.add('broken', {
      setup: `context.onDispose(() => { throw new Error('stuck'); }); throw new Error('no');`,
    });
    await using host = hostFor(project);
    const found = lines(await host.load(['broken']));
    expect(found[0]).toContain('· setup] GVU_PLUGIN_SETUP_FAILED: setup() threw Error: no');
    expect(found[1]).toContain(
      '· dispose] GVU_PLUGIN_DISPOSE_FAILED: Not everything could be undone: a disposer: Error: stuck',
    );
  });
});

describe('ready', () => {
  test('declared but not provided, the reverse, and provided twice, in one message', async () => {
    takeJournal();
    const found = await loadBroken(
      {
        gvu: { contributes: { tools: [{ id: 'a' }, { id: 'b' }] } },
        setup: `
          const factory = () => {};
          context.provide(tools, 'a', factory);
          context.provide(tools, 'a', factory);
          context.provide(tools, 'c', factory);
          context.provide({ kind: 'metrics' }, 'd', factory);
          context.onDispose(() => journal.push('undone'));`,
      },
      { phase: 'ready' },
    );
    expect(found).toEqual([
      'GVU_PLUGIN_CONTRIBUTION_MISMATCH: declared, but not provided: tools/b; provided, but not declared: tools/c, metrics/d; provided more than once: tools/a. Let "contributes" in the manifest and the calls of provide() say the same.',
    ]);
    expect(takeJournal()).toEqual(['undone']);
  });

  test('looking up what a failed plugin would have brought tells why it is not there', async () => {
    await using project = await PluginProject.create();
    await project.add('broken', { ...toolPlugin('saw'), setup: `throw new Error('no blade');` });
    await using host = hostFor(project);
    await host.load(['broken']);
    expect(() => host.find('saw')).toThrow(
      'GVU_PLUGIN_CONTRIBUTION_UNKNOWN: No plugin that is ready contributes "saw". A plugin that failed would: [plugin broken@1.2.0 · setup] GVU_PLUGIN_SETUP_FAILED: setup() threw Error: no blade',
    );
  });
});

describe('needed plugins', () => {
  test('throwIfFailed lists every problem, and is silent about plugins that are not needed', async () => {
    await using project = await PluginProject.create();
    await project.add('good');
    await project.add('bad', { setup: `throw new Error('no');` });
    await using host = hostFor(project);
    const report = await host.load(['good', 'bad', './absent']);
    expect(() => throwIfFailed(report, ['good'])).not.toThrow();
    expect(() => throwIfFailed(report, ['good', 'goods'])).toThrow(
      '[plugin goods] is needed, but not listed. Did you mean "good"?',
    );
    expect(() => throwIfFailed(report)).toThrow(
      expect.objectContaining({
        code: 'GVU_PLUGIN_LOAD_FAILED',
        message: expect.stringMatching(
          /^GVU_PLUGIN_LOAD_FAILED: Not ready: bad, \.\/absent\.\n\[plugin \.\/absent · read\].*\n\[plugin bad@1\.2\.0 · setup\]/,
        ),
      }),
    );
  });
});

describe('unloading', () => {
  test('goes on when disposers throw or hang, and reports all of them', async () => {
    await using project = await PluginProject.create();
    await project.add('first', {
      setup: `context.onDispose(() => journal.push('first')); context.onDispose(() => { throw new Error('stuck'); });`,
    });
    await project.add('second', {
      setup: `context.onDispose(() => journal.push('second')); context.onDispose(() => new Promise(() => {}));`,
    });
    await project.add('third', { setup: `context.onDispose(() => journal.push('third'));` });
    const host = hostFor(project, { timeLimitMs: shortLimitMs });
    throwIfFailed(await host.load(['first', 'second', 'third']));
    takeJournal();
    await expect(host[Symbol.asyncDispose]()).rejects.toMatchObject({
      code: 'GVU_PLUGIN_DISPOSE_FAILED',
      details: {
        problems: [
          expect.stringMatching(
            /^\[plugin second@1\.2\.0 · dispose\] GVU_PLUGIN_DISPOSE_FAILED: .*GVU_PLUGIN_TIMEOUT: /,
          ),
          expect.stringMatching(/^\[plugin first@1\.2\.0 · dispose\] GVU_PLUGIN_DISPOSE_FAILED: .*Error: stuck/),
        ],
      },
    });
    expect(takeJournal()).toEqual(['third', 'second', 'first']);
  });

  test('during a load gives the load up, undoes what was set up, and closes the host', async () => {
    await using project = await PluginProject.create();
    await project.add('quick', { setup: `context.onDispose(() => journal.push('quick undone'));` });
    await project.add('slow', { setup: `journal.push('slow began'); await new Promise(() => {});` });
    await project.add('later', { entry: `globalThis.gvuTestJournal.push('later ran');` });
    const host = hostFor(project);
    takeJournal();
    const loading = host.load(['quick', 'slow']);
    const queued = host.load(['later']);
    const began: unknown[] = [];
    await expect.poll(() => began.push(...takeJournal()), patient).toBe(1);
    await host[Symbol.asyncDispose]();
    expect(takeJournal()).toEqual(['quick undone']);
    expect((await loading).problems).toMatchObject([
      { plugin: 'slow@1.2.0', error: { code: 'GVU_PLUGIN_HOST_DISPOSED' } },
    ]);
    expect((await queued).problems).toMatchObject([
      { plugin: 'later@1.2.0', error: { code: 'GVU_PLUGIN_HOST_DISPOSED' } },
    ]);
    await expect(host.load([])).rejects.toMatchObject({ code: 'GVU_PLUGIN_HOST_DISPOSED' });
    await expect(host.create(tools, 'x', { deps: undefined })).rejects.toMatchObject({
      code: 'GVU_PLUGIN_HOST_DISPOSED',
    });
  });
});
