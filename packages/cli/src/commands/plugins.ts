/** `gvu plugins`: what plugins contribute, and whether a plugin is in order. */
import { resolve } from 'node:path';
import { formatPluginProblem, type PluginReport } from '@gvu/core';
import { Command } from 'commander';
import { print, printJson, screenOf } from '../terminal/terminal.ts';
import { collect, examples } from './shared-options.ts';

interface PluginsOptions {
  readonly plugin?: readonly string[];
  readonly json?: true;
}

export function pluginsCommand(): Command {
  const command = new Command('plugins')
    .summary('what plugins contribute (list, show, check)')
    .description('Backends, rewards, algorithms, prompts, exams and pre-trainings are all contributed by plugins.');
  command
    .command('list')
    .summary('all contributions')
    .description('Lists all contributions by kind, and the plugins that they come from.')
    .option('--plugin <name-or-path>', 'a plugin to load besides those of GvU; may be repeated', collect)
    .option('--json', 'a JSON object')
    .addHelpText(
      'after',
      examples([
        ['gvu plugins list', "GvU's own"],
        ['gvu plugins list --plugin ./my-reward', 'and another one'],
      ]),
    )
    .action(list);
  command
    .command('show')
    .summary('one contribution with its options')
    .description('Shows a contribution: where it comes from, what it says about itself, and its options.')
    .argument('<id>', 'kind/id, or the id alone')
    .option('--plugin <name-or-path>', 'a plugin to load besides those of GvU; may be repeated', collect)
    .option('--json', 'a JSON object, with the schema of the options')
    .addHelpText(
      'after',
      examples([
        ['gvu plugins show grpo', 'the options of GRPO'],
        ['gvu plugins show rewards/gvu', 'with its kind, where several have the id'],
      ]),
    )
    .action(show);
  command
    .command('check')
    .summary('whether a plugin package is in order')
    .description(
      'Loads a plugin and reports every problem. The plugin runs in this process: check only what you trust.',
    )
    .argument('<path>', 'the directory of the plugin, or the name of its package')
    .option('--json', 'a JSON object')
    .addHelpText('after', examples([['gvu plugins check ./my-plugin', 'exit code 0 when it is in order, 1 when not']]))
    .action(check);
  return command;
}

async function list({ plugin, json }: PluginsOptions): Promise<void> {
  const { createHost, kinds, loadAll } = await import('../host.ts');
  await using host = createHost();
  const report = await loadAll(host, plugin);
  const contributions = host.contributions().map(({ kind, id, description, facts, plugin: from }) => {
    return { kind, id, description, facts, plugin: `${from.name}@${from.version}` };
  });
  if (json) {
    printJson({ contributions, ...plainReport(report) });
  } else {
    const { textTable } = await import('../terminal/table.ts');
    const inOrder = kinds.flatMap((kind) => contributions.filter((item) => item.kind === kind));
    const rows = inOrder.map(({ kind, id, plugin: from, description }) => [`${kind}/${id}`, from, description]);
    print(textTable(rows, screenOf(process.stdout)));
    for (const problem of report.problems) process.stderr.write(`${formatPluginProblem(problem)}\n`);
  }
  if (report.problems.some(({ severity }) => severity === 'error')) process.exitCode = 1;
}

async function show(id: string, { plugin, json }: PluginsOptions): Promise<void> {
  const { openHost } = await import('../host.ts');
  await using host = await openHost(plugin);
  const { kind, id: name, description, facts, options, plugin: from } = host.find(id);
  if (json) {
    printJson({ kind, id: name, description, facts, plugin: from, options: options.schema });
    return;
  }
  const { describeSchema, keyRows } = await import('../config/describe-schema.ts');
  const { textTable } = await import('../terminal/table.ts');
  const screen = screenOf(process.stdout);
  print(`${kind}/${name}, of ${from.name}@${from.version} in ${from.directory}`);
  if (description !== '') print(description);
  for (const [fact, value] of Object.entries(facts)) {
    print(`${fact}: ${Array.isArray(value) ? value.join(', ') : JSON.stringify(value)}`);
  }
  const rows = keyRows(describeSchema(options.schema));
  print(rows.length === 0 ? '\nIt has no options.' : `\n${textTable(rows, screen)}`);
}

async function check(path: string, { json }: PluginsOptions): Promise<void> {
  const { createHost, loadAll } = await import('../host.ts');
  const { existsSync } = await import('node:fs');
  await using host = createHost();
  // A directory may be given without "./".
  const specifier = existsSync(path) ? resolve(path) : path;
  await loadAll(host); // what the plugin may depend on, or clash with
  const report = await host.load([specifier]);
  const failed = report.problems.some(({ severity }) => severity === 'error');
  if (json) printJson(plainReport(report));
  else {
    for (const problem of report.problems) print(formatPluginProblem(problem));
    for (const { name, version, contributions, state } of report.plugins) {
      if (state === 'ready') print(`${name}@${version} is in order. It contributes ${contributions.join(', ')}.`);
    }
  }
  if (failed) process.exitCode = 1;
}

function plainReport({ plugins, problems }: PluginReport) {
  return {
    plugins,
    problems: problems.map(({ error, ...rest }) => ({ ...rest, code: error.code, message: error.message })),
  };
}
