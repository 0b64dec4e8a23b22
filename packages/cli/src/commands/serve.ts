/** `gvu serve`: runs in the browser, live and finished, and a model to try. */
import { Command } from 'commander';
import type { ModelOptions, OpenModel } from '../model/open-model.ts';
import { type ListenOptions, listenOptions, pluginsOf } from '../serve/options.ts';
import { onInterrupt } from '../terminal/interrupt.ts';
import { note, print } from '../terminal/terminal.ts';
import { modelOptions } from './model-options.ts';
import { examples } from './shared-options.ts';

interface ServeOptions extends ListenOptions, ModelOptions {
  readonly runs: string;
  readonly control?: true;
}

export function serveCommand(): Command {
  const command = new Command('serve')
    .summary('show runs in the browser, and serve a model')
    .description(
      'Serves a page with all runs of a folder: curves, drawings with the log-probability of every token, evaluations.\n' +
        'Runs may be training meanwhile, in other processes; they are only read. Programs connect to the same address.\n' +
        'With an adapter, a backend or a model named, clients may draw and score with it too. Ctrl-C ends it.',
    )
    .option('--runs <directory>', 'folder of the runs', 'runs')
    .option('--control', 'let programs with the control token start runs, pause, save and stop them');
  for (const option of [...listenOptions(), ...modelOptions()]) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `${examples([
        ['gvu serve', 'the runs in runs/'],
        ['gvu serve --adapter runs/first', 'and draw with what a run has learned'],
        ['gvu serve --control', 'and start runs from a program'],
        ['gvu serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem', 'for others, who need the token printed'],
      ])}\nGVU_TOKEN sets the token for watching, GVU_CONTROL_TOKEN that for control; they are made otherwise.\n`,
    )
    .action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  const { adapter, backend, model } = options;
  if (adapter === undefined && backend === undefined && model === undefined) return await listen(options);
  const { withModel } = await import('../model/open-model.ts');
  await withModel(options, (open) => listen(options, open));
}

/** Serves until Ctrl-C. */
async function listen(options: ServeOptions, model?: OpenModel): Promise<void> {
  const { openServer } = await import('../serve/open-server.ts');
  const { serveBackend } = await import('@gvu/server');
  const { Launcher } = await import('../serve/launcher.ts');
  const offer = model && {
    models: serveBackend(model.backend, { adapter: () => model.adapter }),
    plugins: () => pluginsOf(model.host),
  };
  const { runs } = options;
  using interrupt = onInterrupt('The server ends.');
  using launcher = options.control && new Launcher(options);
  await using server = await openServer({ runs, ...offer, ...(launcher && { control: launcher }) }, options);
  for (const line of server.lines) print(line);
  note('Ctrl-C ends the server; training goes on without it.');
  await new Promise<void>((resolve) => interrupt.signal.addEventListener('abort', () => resolve()));
}
