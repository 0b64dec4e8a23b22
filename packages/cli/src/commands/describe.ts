/** `gvu describe`: what the model says about an image. */
import { Command } from 'commander';
import type { ModelOptions } from '../model/open-model.ts';
import { note, print, printJson } from '../terminal/terminal.ts';
import { modelOptions } from './model-options.ts';
import { examples } from './shared-options.ts';

interface DescribeOptions extends ModelOptions {
  readonly question?: string;
  readonly json?: true;
}

export function describeCommand(): Command {
  const command = new Command('describe')
    .summary('what the model says about an image')
    .description(
      'Shows the model a PNG or JPEG file and prints its answer. Other sizes than that of the model are cut to its shape around the\n' +
        'middle and averaged down; what `gvu generate` has enlarged becomes exactly what was drawn.',
    )
    .argument('<image>', 'a PNG or JPEG file')
    .option('--question <text>', 'what is asked (default: for a description)')
    .option('--json', 'a JSON object')
    .addHelpText(
      'after',
      examples([
        ['gvu describe drawings/a-photo-of-a-red-circle-0-1.png', 'describe a drawing'],
        ['gvu describe photo.jpg --question "what color is the circle?"', 'ask something'],
        ['gvu describe photo.png --adapter runs/first', 'as the model reads after training'],
      ]),
    )
    .action(describe);
  for (const option of modelOptions()) command.addOption(option);
  return command;
}

async function describe(file: string, options: DescribeOptions): Promise<void> {
  const { withModel } = await import('../model/open-model.ts');
  const { fitForModel } = await import('../images/for-model.ts');
  const { readImage } = await import('../images/image-file.ts');
  const image = await readImage(file);
  await withModel(options, async ({ backend, adapter }) => {
    const { pixels, change } = fitForModel(image, file, backend.image);
    if (change !== undefined) note(change);
    const { question } = options;
    const [answer = ''] = await backend.answer([{ image: { pixels }, ...(question !== undefined && { question }) }], {
      adapter,
    });
    if (options.json) printJson({ file, question: question ?? null, answer });
    else print(answer);
  });
}
