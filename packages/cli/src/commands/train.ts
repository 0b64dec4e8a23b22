/** `gvu train`: trains a model, or goes on with a run. */
import { Command, Option } from 'commander';
import { flagAssignments } from '../config/flags.ts';
import { cliErrors } from '../errors.ts';
import { type ListenOptions, listenOptions } from '../serve/options.ts';
import { addConfigSources, type ConfigOptions, configSourcesOf } from './config-options.ts';
import { type EngineOptions, engineOptions, examples } from './shared-options.ts';

export interface TrainCommandOptions extends ConfigOptions, EngineOptions, ListenOptions {
  readonly out?: string;
  readonly name?: string;
  readonly resume?: string;
  readonly dryRun?: true;
  readonly json?: true;
  readonly quiet?: true;
  readonly serve?: true;
  /** Set by a process that started this one to steer it. */
  readonly steered?: true;
}

export function trainCommand(): Command {
  const command = new Command('train')
    .summary('train a model, or go on with a run')
    .description(
      'Trains an adapter by reinforcement learning and writes a run: its log, pictures, checkpoints and a report.\n' +
        'Where several sources set a key of the configuration, the later one wins: defaults, --preset, --config, flags, --set.\n' +
        'A source that chooses another contribution (use) leaves the options of the former one behind.\n' +
        'Ctrl-C ends the run after the step under way, with a checkpoint; a second one ends it at once.',
    );
  addConfigSources(command);
  command
    .option('--out <directory>', 'folder of the run (default: runs/<date>-<reward>-<seed>)')
    .addOption(
      new Option('--name <name>', 'folder of the run below runs/, with a number if it is taken').conflicts('out'),
    )
    .option('--resume <directory>', 'go on with this run, exactly where its newest checkpoint left off')
    .option('--dry-run', 'only print the resolved configuration, the plan and the memory it expects')
    .option('--json', 'the events of the run as JSON objects, one a line')
    .option('--quiet', 'no progress, only the result')
    .option('--serve', 'show the run in the browser meanwhile, with control over it; see `gvu serve`');
  command.addOption(new Option('--steered', 'take orders from the process that started this one').hideHelp());
  for (const option of [...listenOptions(), ...engineOptions()]) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `${examples([
        ['gvu train --preset gvu', 'what we recommend, on backend-shapes'],
        ['gvu train --preset gvu --serve', 'and watch it in the browser'],
        ['gvu train --reward random --seed 2 --out runs/control', 'the control: a reward that means nothing'],
        ['gvu train --config run.json --set optimiser.beta2=0.95 --dry-run', 'what a configuration would do'],
        ['gvu train --resume runs/control', 'go on with a run that was stopped'],
      ])}\nExit codes: 0 trained, 1 failed, 2 wrong command line, 3 ended by a guard, 130 stopped by Ctrl-C.\n`,
    )
    .action(async (options: TrainCommandOptions) => {
      const { runTraining } = await import('../training/run-training.ts');
      const { resolveConfig } = await import('../config/sources.ts');
      const { resume } = options;
      const config =
        resume === undefined ? await resolveConfig(configSourcesOf(options)) : await resumed(resume, options);
      await runTraining(config, options);
    });
}

/** The configuration of a run is part of it: going on exactly means with the same one. */
async function resumed(folder: string, options: TrainCommandOptions) {
  const { readRunConfig } = await import('@gvu/rl');
  const { requireRun } = await import('../runs/run-folder.ts');
  const given = [
    ...(['preset', 'config', 'set', 'out', 'name'] as const).filter((name) => options[name] !== undefined),
    ...flagAssignments(options).map(({ path }) => path.join('.')),
  ];
  if (given.length > 0) {
    throw cliErrors.error(
      'GVU_CLI_USAGE',
      `--resume goes on with the configuration of the run, but ${given.join(', ')} is given.`,
      {
        hint: 'Leave it out; to train on with other settings, begin a new run with adapter.from set to the adapter of this one.',
      },
    );
  }
  requireRun(folder);
  const config = await readRunConfig(folder);
  if (config !== undefined) return config;
  throw cliErrors.error('GVU_CLI_FILE', `There is no config.json in '${folder}'.`, {
    hint: 'Restore it: it is part of the run.',
  });
}
