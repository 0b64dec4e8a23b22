/** `gvu pretrain`: makes the weights of a backend from nothing. */
import { join } from 'node:path';
import type { JsonValue } from '@gvu/core';
import { Command } from 'commander';
import { assign, type JsonObject, parseAssignment } from '../config/merge.ts';
import type { SheetRow } from '../images/contact-sheet.ts';
import { Stopped } from '../terminal/failure.ts';
import { onInterrupt } from '../terminal/interrupt.ts';
import { StatusLine } from '../terminal/status-line.ts';
import { note, print, printJson, screenOf } from '../terminal/terminal.ts';
import { duration } from '../terminal/time.ts';
import { collect, type EngineOptions, engineOptions, examples, runtimeOptions } from './shared-options.ts';

interface PretrainOptions extends EngineOptions {
  readonly out: string;
  readonly set?: readonly string[];
  readonly plugin?: readonly string[];
  readonly json?: true;
}

export function pretrainCommand(): Command {
  const command = new Command('pretrain')
    .summary("make a backend's weights from nothing")
    .description(
      'Runs a recipe that makes the weights of a backend. Ctrl-C writes a checkpoint; the same command goes on from it.\n' +
        '`gvu plugins show pretrainings/<recipe>` lists the options of a recipe.',
    )
    .argument('[recipe]', 'id of the recipe', 'shapes')
    .requiredOption('--out <directory>', 'where checkpoints, models and the report go')
    .option('--set <key=value>', 'an option of the recipe; may be repeated', collect)
    .option('--plugin <name-or-path>', 'a plugin to load besides those of GvU; may be repeated', collect)
    .option('--json', 'progress and result as JSON objects, one a line')
    .addHelpText(
      'after',
      examples([
        ['gvu pretrain --out pretrained', 'the weights of backend-shapes'],
        ['gvu pretrain --out other --set seed=7', 'with another seed'],
        ['gvu generate "a photo of a heart" --model pretrained/<model>', 'use the result (its directory is printed)'],
      ]),
    )
    .action(pretrain);
  for (const option of engineOptions()) command.addOption(option);
  return command;
}

async function pretrain(recipe: string, options: PretrainOptions): Promise<void> {
  const [{ openHost }, { findPart }, { Runtime }, { pretrainings }] = await Promise.all([
    import('../host.ts'),
    import('../config/resolve-parts.ts'),
    import('@gvu/onnx'),
    import('@gvu/models'),
  ]);
  const recipeOptions = (options.set ?? []).reduce<JsonObject>((set, text) => assign(set, parseAssignment(text)), {});
  await using host = await openHost(options.plugin);
  findPart(host, { kind: 'pretrainings', use: recipe });
  await using runtime = await Runtime.create(runtimeOptions(options));
  const pretraining = await host.create(pretrainings, recipe, { options: recipeOptions, deps: { runtime } });

  using interrupt = onInterrupt('Writing a checkpoint.');
  using status = new StatusLine(screenOf(process.stderr));
  try {
    const { report, models, drawings } = await pretraining.run({
      folder: options.out,
      signal: interrupt.signal,
      onProgress: ({ stage, step, steps, metrics, stepsPerSecond, secondsLeft }) => {
        if (options.json) return printJson({ stage, step, steps, metrics, stepsPerSecond, secondsLeft });
        const shown = Object.entries(metrics).map(([name, value]) => `${name} ${value.toPrecision(4)}`);
        const pace = `${stepsPerSecond.toFixed(2)} steps/s  ${duration(secondsLeft)} left`;
        status.show([`${stage} ${step}/${steps}`, ...shown, pace].join('  '));
      },
    });
    status.clear();
    const sheet = drawings && (await writeSheet(drawings, options.out));
    if (options.json) printJson({ report, models, ...(sheet !== undefined && { sheet }) } satisfies JsonValue);
    else
      print(
        `${report}\n${Object.entries(models)
          .map(([name, path]) => `\n${name}: ${path}`)
          .join('')}${sheet === undefined ? '' : `\ndrawings: ${sheet}`}`,
      );
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    status.clear();
    note('');
    throw new Stopped('Stopped. The same command goes on from here.');
  }
}

/** Undefined when the pictures are too many for a sheet. */
async function writeSheet(rows: readonly SheetRow[], folder: string): Promise<string | undefined> {
  const { contactSheet } = await import('../images/contact-sheet.ts');
  const { maxMegapixels, writePng } = await import('../images/image-file.ts');
  const sheet = contactSheet(rows, { scale: 4, maxPixels: maxMegapixels * 1e6 });
  if (sheet === undefined) return undefined;
  const file = join(folder, 'drawings.png');
  await writePng(file, sheet);
  return file;
}
