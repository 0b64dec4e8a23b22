/** `gvu compare`: the same training with several rewards and seeds, side by side. */
import { Command } from 'commander';
import { configFlags } from '../config/flags.ts';
import { type ListenOptions, listenOptions } from '../serve/options.ts';
import type { ConfigOptions } from './config-options.ts';
import { collect, type EngineOptions, engineOptions, examples, wholeNumber } from './shared-options.ts';

export interface CompareCommandOptions extends ConfigOptions, EngineOptions, ListenOptions {
  readonly reward?: readonly string[];
  readonly seeds: number;
  readonly out?: string;
  readonly dryRun?: true;
  readonly json?: true;
  readonly quiet?: true;
  readonly serve?: true;
}

export function compareCommand(): Command {
  const command = new Command('compare')
    .summary('train with several rewards and seeds, and compare the results')
    .description(
      'Trains once for each reward and seed from the same base, with the same prompts and the same budget, and compares the results: the score by\n' +
        'category with intervals over prompts and seeds, how every reward sees what the others made, KL, diversity, reading and time.\n' +
        'Each run has its folder below --out. Run the same command again, or `gvu compare --out <directory>`, to go on where it was stopped:\n' +
        'finished runs are not repeated. Ctrl-C ends the run under way after its step, with a checkpoint.',
    )
    .option(
      '--reward <id-or-json>',
      'a reward to train with; repeat it. With options: \'{"use":"clip-score","options":{"model":"..."}}\'',
      collect,
    )
    .option('--seeds <n>', 'runs of each reward, with the seeds from --seed on', wholeNumber(1), 3)
    .option('--out <directory>', 'folder of the comparison (default: runs/compare-<date>)')
    .option('--preset <name>', 'a configuration that comes with GvU: gvu or gvu-paper')
    .option('--config <file>', 'a configuration in JSON; it overrides the preset')
    .option('--set <key.path=value>', 'one value of the configuration, over all others; may be repeated', collect);
  for (const { flag, name, description } of configFlags)
    if (name !== 'reward' && name !== 'teacher') command.option(flag, description);
  command
    .option('--serve', 'show the runs in the browser meanwhile; see `gvu serve`')
    .option('--dry-run', 'only print the runs that there would be')
    .option('--json', 'the result as a JSON object')
    .option('--quiet', 'no progress, only the result');
  for (const option of [...listenOptions(), ...engineOptions()]) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `${examples([
        [
          'gvu compare --reward gvu --reward gvu-log --reward detector --reward random --seeds 3',
          'a claim with its controls',
        ],
        ['gvu compare --reward gvu --reward random --seeds 2 --steps 100 --out runs/quick', 'a shorter one'],
        ['gvu compare --out runs/quick', 'go on with it, or print its result again'],
        ['gvu serve --runs runs/quick', 'its runs in the browser, while it trains or afterwards'],
      ])}\nExit codes: 0 compared, 1 failed, 2 wrong command line, 130 stopped by Ctrl-C.\n`,
    )
    .action(async (options: CompareCommandOptions) => {
      const { runComparison } = await import('../compare/run-comparison.ts');
      await runComparison(options);
    });
}
