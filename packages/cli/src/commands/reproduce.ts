/** `gvu reproduce`: the paper's tables and figures in miniature. */
import { Command, Option } from 'commander';
import { collect, type EngineOptions, engineOptions, examples, wholeNumber } from './shared-options.ts';

export interface ReproduceOptions extends EngineOptions {
  readonly out: string;
  readonly report?: string;
  readonly only?: readonly string[];
  readonly seeds?: number;
  readonly steps?: string;
  readonly models?: string;
  readonly set?: readonly string[];
  readonly workers: number;
  readonly dryRun?: true;
  readonly reportOnly?: true;
  readonly json?: true;
  readonly quiet?: true;
}

export function reproduceCommand(): Command {
  const command = new Command('reproduce')
    .summary("make the paper's tables and figures again, in miniature")
    .description(
      "Trains backend-shapes as the preset gvu says, and makes the paper's tables and figures of it (1, 3 to 8), with what the paper lacks: a\n" +
        'control, an image-level baseline, two bases, seeds, intervals, and the group size, the teacher and the reward changed one at a time.\n' +
        'Parts: words (no training: what single words are worth to the reward), regular (the method, its\n' +
        'control and its baseline), weak (the method from a base that draws worse), group-size, teacher, reward.\n' +
        'Each run has its folder below --out, as of `gvu train`: `gvu serve --runs <folder>` shows them, live too. Run the same command again to\n' +
        'go on where it was stopped: what is finished is not repeated. Ctrl-C ends the runs under way after their step, with a checkpoint.\n' +
        'The report is written at the end, and after a Ctrl-C of what is there: index.html, index.md, and report.json with every number.',
    )
    .option('--out <directory>', 'folder of the runs', 'runs/reproduce')
    .option('--report <directory>', 'where the report goes (default: report in the folder of the runs)')
    .option('--only <part>', 'only this part; may be repeated', collect)
    .addOption(
      new Option('--seeds <n>', 'runs of each main setting (default: 3); the others have one').argParser(
        wholeNumber(1),
      ),
    )
    .option('--steps <n>', 'steps of each run, in place of the preset')
    .option('--models <directory>', 'bases that `gvu pretrain` has made, in place of those that come with GvU')
    .option('--set <key.path=value>', 'one value of the configuration of all runs; may be repeated', collect)
    .addOption(
      new Option('--workers <n>', 'runs side by side, each in a process with one thread unless --threads says more')
        .argParser(wholeNumber(1))
        .default(1),
    )
    .option('--dry-run', 'print the runs and the time to expect, measured by a few steps in a temporary folder')
    .option('--report-only', 'train nothing, and write the report of the runs that are there')
    .option('--json', 'the result as a JSON object')
    .option('--quiet', 'no progress, only the result');
  for (const option of engineOptions()) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `${examples([
        ['gvu reproduce --dry-run', 'what it would do, and how long it would take'],
        ['gvu reproduce --workers 2', 'all of it on two cores'],
        ['gvu reproduce --only words --only regular --seeds 1', 'the main result and its controls, one seed'],
        ['gvu reproduce --steps 20 --seeds 1 --out runs/quick', 'a look at the report, from short runs'],
        ['gvu reproduce --report-only --report docs/results/reproduce', 'the report again, elsewhere'],
      ])}\nExit codes: 0 done, 1 a run failed, 2 wrong command line, 130 stopped by Ctrl-C.\n`,
    )
    .action(async (options: ReproduceOptions) => {
      const { runReproduction } = await import('../reproduce/run-reproduction.ts');
      await runReproduction(options);
    });
}
