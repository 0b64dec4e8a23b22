/** The options by which a configuration is given, of `gvu train` and `gvu config`. */
import type { Command } from 'commander';
import { configFlags } from '../config/flags.ts';
import type { ConfigSources } from '../config/sources.ts';
import { collect } from './shared-options.ts';

export interface ConfigOptions extends Readonly<Record<string, unknown>> {
  readonly preset?: string;
  readonly config?: string;
  readonly set?: readonly string[];
}

export function addConfigSources(command: Command): void {
  command
    .option('--preset <name>', 'a configuration that comes with GvU: gvu or gvu-paper')
    .option('--config <file>', 'a configuration in JSON; it overrides the preset')
    .option('--set <key.path=value>', 'one value of the configuration, over all others; may be repeated', collect);
  for (const { flag, name, description } of configFlags) {
    if (name === 'reward') command.option(flag, description, collect);
    else command.option(flag, description);
  }
}

export function configSourcesOf(options: ConfigOptions): ConfigSources {
  return { preset: options.preset, file: options.config, flags: options, set: options.set };
}
