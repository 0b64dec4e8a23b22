/** `gvu runs`: the runs that there are, their results, and their adapters. */
import { cp, mkdir, readdir } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { cliErrors } from '../errors.ts';
import { print, printJson, screenOf } from '../terminal/terminal.ts';
import { examples } from './shared-options.ts';

interface RunsOptions {
  readonly runs: string;
  readonly json?: true;
}

export function runsCommand(): Command {
  const command = new Command('runs').summary('runs and their results (list, show, export)');
  const runs = ['--runs <directory>', 'where the runs are', 'runs'] as const;
  command
    .command('list')
    .summary('all runs')
    .description('Lists the runs of a directory. The score is what evaluations measure, before the first step and now.')
    .option(...runs)
    .option('--json', 'one JSON object for each run')
    .addHelpText('after', examples([['gvu runs list', 'the runs below runs/']]))
    .action(list);
  command
    .command('show')
    .summary('the result of a run')
    .description(
      'Prints the table of a run: scores before and after by category, with intervals, and the reward curve.',
    )
    .argument('<run>', 'the folder of a run, or its name')
    .option(...runs)
    .option('--json', 'a JSON object')
    .addHelpText('after', examples([['gvu runs show first', 'the run in runs/first']]))
    .action(show);
  command
    .command('export')
    .summary('copy the adapter of the newest checkpoint')
    .description("Copies the adapter of a run's newest checkpoint to a directory, in the layout of PEFT.")
    .argument('<run>', 'the folder of a run, or its name')
    .argument('<directory>', 'where the adapter goes; there must be none of that name, or an empty one')
    .option(...runs)
    .addHelpText('after', examples([['gvu runs export first my-adapter', 'the adapter of runs/first']]))
    .action(exportAdapter);
  return command;
}

async function list({ runs, json }: RunsOptions): Promise<void> {
  const { listRuns } = await import('../runs/run-folder.ts');
  const { textTable } = await import('../terminal/table.ts');
  const found = await listRuns(runs);
  if (json) {
    for (const run of found) printJson(run);
    return;
  }
  if (found.length === 0) print(`There is no run in '${runs}'. \`gvu train\` begins one.`);
  const number = (value: number | undefined) => value?.toFixed(3) ?? '-';
  const rows = found.map(({ id, rewards, step, steps, state, score, before, after }) => {
    return [
      id,
      rewards.join('+'),
      `${step}/${steps}`,
      state,
      `${score ?? 'score'} ${number(before)} -> ${number(after)}`,
    ];
  });
  if (rows.length > 0)
    print(textTable([['run', 'reward', 'steps', 'state', 'score'], ...rows], screenOf(process.stdout)));
}

async function show(name: string, { runs, json }: RunsOptions): Promise<void> {
  const { findRun, summarise } = await import('../runs/run-folder.ts');
  const { summaryText } = await import('@gvu/evals');
  const { resultOf } = await import('../runs/run-result.ts');
  const folder = findRun(name, runs);
  if (json) printJson({ ...(await summarise(folder)), ...(await resultOf(folder)) });
  else print(await summaryText(folder, screenOf(process.stdout)));
}

async function exportAdapter(name: string, directory: string, { runs }: RunsOptions): Promise<void> {
  const { findRun, requireAdapter } = await import('../runs/run-folder.ts');
  const adapter = await requireAdapter(findRun(name, runs));
  const taken = await readdir(directory).catch(() => []);
  if (taken.length > 0) {
    throw cliErrors.error('GVU_CLI_FILE', `'${directory}' is not empty.`, { hint: 'Give another directory.' });
  }
  try {
    await mkdir(dirname(resolve(directory)), { recursive: true });
    await cp(adapter, directory, { recursive: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw cliErrors.error('GVU_CLI_FILE', `'${directory}' cannot be written: ${why}.`, { cause });
  }
  print(`${directory} (from ${basename(dirname(adapter))} of ${name})`);
}
