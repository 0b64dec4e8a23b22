/** How a command ends when something went wrong: the one place that prints errors, and the exit codes of the program. */
import { isGvuError, statementOf } from '@gvu/core';
import { paint, type Screen } from './terminal.ts';

export const exitCodes = {
  done: 0,
  /** What was asked for could not be done. */
  failed: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** A guard ended a training run. */
  guard: 3,
  /** Stopped by the user. */
  stopped: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** A command was stopped by Ctrl-C; what was done until then is kept, and the message tells how to go on. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof Stopped) return exitCodes.stopped;
  return isGvuError(error, 'GVU_CLI_USAGE') ? exitCodes.usage : exitCodes.failed;
}

/** The text of an error for people. `verbose` adds what lies underneath, with stacks. */
export function failureText(error: unknown, { verbose, screen }: { verbose: boolean; screen: Screen }): string {
  if (error instanceof Stopped) return error.message;
  return [summary(error, screen), ...(verbose ? causes(error) : [])].join('\n');
}

function summary(error: unknown, screen: Screen): string {
  if (isGvuError(error)) {
    // What a plugin of ours refused is what the user is to mend; that it happened while something was made says nothing more.
    if (error.code === 'GVU_PLUGIN_CREATE_FAILED' && isGvuError(error.cause)) return summary(error.cause, screen);
    const { code, hint } = error;
    const head = `${paint(code, 'red', screen)}: ${statementOf(error).trimEnd()}`;
    return hint === undefined ? head : `${head}\n${hint}`;
  }
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return [
    `${paint('Unexpected error', 'red', screen)}: ${what}`,
    'This is a mistake of GvU or of a plugin. Run the command again with --verbose, and report its whole output',
    'together with that of `gvu doctor`.',
  ].join('\n');
}

/** Stacks, from the error itself down. */
function causes(error: unknown): string[] {
  const lines: string[] = [];
  for (let at: unknown = error, depth = 0; at !== undefined && depth < 10; depth++) {
    const stack = at instanceof Error ? (at.stack ?? at.message) : String(at);
    lines.push(depth === 0 ? stack : `Caused by: ${stack}`);
    at = at instanceof Error ? at.cause : undefined;
  }
  return lines;
}
