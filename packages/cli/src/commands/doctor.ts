/** `gvu doctor`: whether everything that GvU needs is there. */
import { Command } from 'commander';
import { paint, print, printJson, screenOf } from '../terminal/terminal.ts';
import { examples } from './shared-options.ts';

export function doctorCommand(): Command {
  return new Command('doctor')
    .summary('whether everything that GvU needs is there')
    .description('Checks Node, the engine, its devices, memory, disk and plugins, and computes a small gradient.')
    .option('--json', 'a JSON object')
    .addHelpText(
      'after',
      examples([
        ['gvu doctor', 'what to attach to a report of a mistake'],
        ['gvu doctor --json', 'the same for programs; exit code 1 when something is missing'],
      ]),
    )
    .action(async ({ json }: { readonly json?: true }) => {
      const { examine } = await import('../doctor/examine.ts');
      const findings = await examine();
      const ok = findings.every(({ state }) => state !== 'failed');
      if (json) printJson({ ok, findings });
      else {
        const { textTable } = await import('../terminal/table.ts');
        const screen = screenOf(process.stdout);
        print(
          textTable(
            findings.map(({ name, state, text }) => [state, name, text]),
            screen,
          ),
        );
        print(
          ok ? '\nEverything that is needed is there.' : paint('\nSomething that is needed is missing.', 'red', screen),
        );
      }
      if (!ok) process.exitCode = 1;
    });
}
