/** `gvu score`: how probable a prompt is for the model, given an image. */
import { Command } from 'commander';
import type { ModelOptions } from '../model/open-model.ts';
import { note, print, printJson, screenOf } from '../terminal/terminal.ts';
import { modelOptions } from './model-options.ts';
import { examples } from './shared-options.ts';

interface ScoreOptions extends ModelOptions {
  readonly prompt: string;
  readonly json?: true;
}

export function scoreCommand(): Command {
  const command = new Command('score')
    .summary('the reward of an image for a prompt, token by token')
    .description(
      'Shows the model an image and prints how probable each token of the prompt is for it: the shade of a token is its probability\n' +
        '(red 0, green 1), which stands below it. Their geometric mean is the reward `gvu`, the mean of their logarithms `gvu-log`.',
    )
    .argument('<image>', 'a PNG or JPEG file')
    .requiredOption('--prompt <text>', 'the prompt')
    .option('--json', 'a JSON object')
    .addHelpText(
      'after',
      examples([
        [
          'gvu score drawings/a-photo-of-a-red-circle-0-1.png --prompt "a photo of a red circle"',
          'how well a drawing fits',
        ],
        [
          'gvu score drawing.png --prompt "a photo of a blue circle" --adapter runs/first',
          'as a trained model reads it',
        ],
        ['gvu score drawing.png --prompt "a photo of two moons" --json', 'as numbers for a program'],
      ]),
    )
    .action(score);
  for (const option of modelOptions()) command.addOption(option);
  return command;
}

async function score(file: string, options: ScoreOptions): Promise<void> {
  const { withModel } = await import('../model/open-model.ts');
  const { fitForModel } = await import('../images/for-model.ts');
  const { readImage } = await import('../images/image-file.ts');
  const { promptLikelihood } = await import('@gvu/rewards');
  const { tokenLine } = await import('../model/token-line.ts');
  const image = await readImage(file);
  await withModel(options, async ({ backend, adapter }) => {
    const { pixels, change } = fitForModel(image, file, backend.image);
    if (change !== undefined) note(change);
    const [trace] = await backend.read([{ image: { pixels }, text: options.prompt }], { adapter });
    if (trace === undefined) throw new RangeError('unreachable: one request has one answer');
    const geometricMean = promptLikelihood(trace.logProbs, { form: 'geometric-mean' });
    const meanLogProb = promptLikelihood(trace.logProbs, { form: 'mean-log' });
    if (options.json) {
      printJson({ file, prompt: options.prompt, geometricMean, meanLogProb, ...trace });
      return;
    }
    print(tokenLine(trace, screenOf(process.stdout)));
    print(`\ngeometric mean ${geometricMean.toFixed(4)}   mean log-probability ${meanLogProb.toFixed(4)}`);
  });
}
