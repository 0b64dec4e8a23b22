/** `gvu config`: every key of a configuration, and whether a file fits. */
import { Command } from 'commander';
import { print, printJson, screenOf } from '../terminal/terminal.ts';
import { addConfigSources, type ConfigOptions, configSourcesOf } from './config-options.ts';
import { examples } from './shared-options.ts';

export function configCommand(): Command {
  const command = new Command('config')
    .summary('every key of a configuration, with type, default and meaning')
    .description(
      'Lists every key of the configuration of a run, and the options of the contributions that are selected.\n' +
        'Flags select others: `gvu config --algorithm cispo` lists the options of cispo.',
    )
    .option('--json', 'the JSON Schema of the configuration, and those of the selected options')
    .addHelpText(
      'after',
      examples([
        ['gvu config', 'all keys'],
        ['gvu config --reward gvu-pmi', 'with the options of another reward'],
        ['gvu config validate run.json', 'whether a file fits'],
      ]),
    )
    .action(listKeys);
  addConfigSources(command);
  command
    .command('validate')
    .summary('whether a configuration file fits')
    .description('Reports every problem of a configuration file at once, those with the options of contributions too.')
    .argument('<file>', 'a JSON file')
    .addHelpText('after', examples([['gvu config validate run.json', 'exit code 0 when it fits, 1 when it does not']]))
    .action(validate);
  return command;
}

async function listKeys(options: ConfigOptions & { readonly json?: true }): Promise<void> {
  const { resolveConfig } = await import('../config/sources.ts');
  const { runConfig } = await import('@gvu/rl');
  const { describeSchema, keyRows } = await import('../config/describe-schema.ts');
  const { textTable } = await import('../terminal/table.ts');
  const { openHost } = await import('../host.ts');
  const { findPart, namedParts, withBackendParts } = await import('../config/resolve-parts.ts');
  const given = await resolveConfig(configSourcesOf(options));
  await using host = await openHost(given.plugins);
  const config = withBackendParts(host, given);
  const selected = namedParts(config).map((part) => ({ ...part, schema: findPart(host, part).options.schema }));
  if (options.json) {
    const schemas = selected.map(({ kind, path, use, schema }) => [`${path.join('.')}.options`, { kind, use, schema }]);
    printJson({ config: runConfig.schema, options: Object.fromEntries(schemas) });
    return;
  }
  const screen = screenOf(process.stdout);
  print(textTable(keyRows(describeSchema(runConfig.schema)), screen));
  for (const { kind, path, use, schema } of selected) {
    const rows = keyRows(describeSchema(schema));
    const name = `${path.join('.')}.options, of ${kind}/${use}`;
    print(rows.length === 0 ? `\n${name}: none.` : `\n${name}:\n${textTable(rows, screen)}`);
  }
}

async function validate(file: string): Promise<void> {
  const { resolveConfig } = await import('../config/sources.ts');
  const { openHost } = await import('../host.ts');
  const { resolveOptions } = await import('../config/resolve-parts.ts');
  const config = await resolveConfig({ file });
  await using host = await openHost(config.plugins);
  resolveOptions(host, config);
  print(`'${file}' is a valid configuration.`);
}
