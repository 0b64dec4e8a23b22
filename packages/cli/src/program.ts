/** The program `gvu`: its commands, and how each of them ends. */
import { Command, CommanderError } from 'commander';
import { compareCommand } from './commands/compare.ts';
import { configCommand } from './commands/config.ts';
import { describeCommand } from './commands/describe.ts';
import { doctorCommand } from './commands/doctor.ts';
import { evaluateCommand } from './commands/evaluate.ts';
import { generateCommand } from './commands/generate.ts';
import { pluginsCommand } from './commands/plugins.ts';
import { pretrainCommand } from './commands/pretrain.ts';
import { reproduceCommand } from './commands/reproduce.ts';
import { runsCommand } from './commands/runs.ts';
import { scoreCommand } from './commands/score.ts';
import { serveCommand } from './commands/serve.ts';
import { trainCommand } from './commands/train.ts';
import { exitCodeOf, exitCodes, failureText } from './terminal/failure.ts';
import { note, screenOf } from './terminal/terminal.ts';

/** The program with all its commands, none of them run yet. */
export function createProgram(): Command {
  const gvu = new Command('gvu')
    .description(
      'Self-teaching reinforcement learning for unified multimodal models: a model that draws and reads grades its own drawings.\n' +
        'Results go to stdout, progress and messages to stderr.',
    )
    .option('--verbose', 'with errors, show what lies underneath')
    .addHelpText(
      'after',
      '\nBegin with `gvu train --preset gvu`, then `gvu generate "a photo of a red circle" --adapter <run>`.\n' +
        'Exit codes: 0 done, 1 failed, 2 wrong command line, 3 ended by a guard, 130 stopped by Ctrl-C.\n',
    );
  const commands = [
    trainCommand(),
    compareCommand(),
    reproduceCommand(),
    generateCommand(),
    describeCommand(),
    scoreCommand(),
    evaluateCommand(),
    serveCommand(),
    runsCommand(),
    configCommand(),
    pluginsCommand(),
    pretrainCommand(),
    doctorCommand(),
  ];
  for (const command of commands) gvu.addCommand(command);
  for (const command of [gvu, ...commands, ...commands.flatMap(({ commands: below }) => below)]) {
    command.exitOverride().configureHelp({ helpWidth: screenOf(process.stdout).width, showGlobalOptions: true });
  }
  return gvu;
}

/** Runs one command, as `gvu <args>` does, and resolves to the exit code. Never rejects. */
export async function runCli(args: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(args, { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : exitCodes.done;
  } catch (error) {
    // Commander has said already what is wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    note(failureText(error, { verbose: args.includes('--verbose'), screen: screenOf(process.stderr) }));
    return exitCodeOf(error);
  }
}
