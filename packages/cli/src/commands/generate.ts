/** `gvu generate`: draws prompts as PNG files. */
import { join } from 'node:path';
import { randomStream } from '@gvu/core';
import type { Pixels } from '@gvu/models';
import { Command, Option } from 'commander';
import type { ModelOptions } from '../model/open-model.ts';
import { StatusLine } from '../terminal/status-line.ts';
import { note, print, printJson, screenOf } from '../terminal/terminal.ts';
import { duration } from '../terminal/time.ts';
import { modelOptions } from './model-options.ts';
import { examples, wholeNumber } from './shared-options.ts';

interface GenerateOptions extends ModelOptions {
  readonly count: number;
  readonly seed: number;
  readonly out: string;
  readonly scale: number;
  readonly json?: true;
}

/** Drawings that are made at a time. */
const batchSize = 64;

export function generateCommand(): Command {
  const command = new Command('generate')
    .summary('draw prompts as PNG files')
    .description(
      'Draws each prompt, writes PNG files, enlarged so that they can be looked at, and one sheet with all of them, a row for each prompt.\n' +
        'Prompt, seed, number and weights decide the drawing: a file of the same name from before is replaced.',
    )
    .argument('<prompts...>', 'what is to be drawn')
    .addOption(new Option('--count <n>', 'drawings of each prompt').argParser(wholeNumber(1)).default(4))
    .addOption(new Option('--seed <n>', 'everything random follows from it').argParser(wholeNumber(0)).default(0))
    .option('--out <directory>', 'where the files go', 'drawings')
    .addOption(
      new Option('--scale <n>', 'how many times each pixel is repeated in both directions')
        .argParser(wholeNumber(1, 64))
        .default(8),
    )
    .option('--json', 'one JSON object for each drawing')
    .addHelpText(
      'after',
      examples([
        ['gvu generate "a photo of a red circle"', 'four drawings of a prompt'],
        ['gvu generate "a photo of two moons" --adapter runs/first --seed 7', 'with what a run has learned'],
        ['gvu generate "a photo of a heart" "a photo of a cross" --count 8 --out wall', 'several prompts, one sheet'],
      ]),
    )
    .action(generate);
  for (const option of modelOptions()) command.addOption(option);
  return command;
}

async function generate(prompts: readonly string[], options: GenerateOptions): Promise<void> {
  const { count, seed, out, scale, json } = options;
  const { withModel } = await import('../model/open-model.ts');
  const { contactSheet } = await import('../images/contact-sheet.ts');
  const { makeDirectory, maxMegapixels, writePng } = await import('../images/image-file.ts');
  const { preview } = await import('../images/preview.ts');
  const { enlarge } = await import('../images/resample.ts');

  await makeDirectory(out);
  // The place of the prompt in the list does not count: with others beside it, a prompt is drawn the same.
  const stream = (use: string) => randomStream(seed, `cli/${use}`);
  const names = fileNames(prompts);
  const requests = prompts.flatMap((prompt, i) =>
    Array.from({ length: count }, (_, sample) => {
      return { prompt, sample, file: join(out, `${names[i] ?? ''}-${seed}-${sample + 1}.png`) };
    }),
  );
  const images: Pixels[] = [];
  await withModel(options, async ({ backend, adapter }) => {
    using status = new StatusLine(screenOf(process.stderr));
    const beganMs = performance.now();
    for (let start = 0; start < requests.length; start += batchSize) {
      if (start > 0) status.show(progress(start, requests.length, (performance.now() - beganMs) / 1000));
      const batch = requests.slice(start, start + batchSize);
      const drawings = await backend.draw(
        batch.map(({ prompt, sample }) => ({ prompt, randomness: stream('draw').at(sample) })),
        { adapter },
      );
      const pictures = drawings.map(({ tokens, prompt }, i) => {
        return { tokens, prompt, randomness: stream('decode').at(batch[i]?.sample ?? 0) };
      });
      // Written at once: what is drawn is not lost with what comes after it.
      for (const [i, image] of (await backend.decode(pictures)).entries()) {
        const { file } = batch[i] ?? {};
        if (file !== undefined) await writePng(file, enlarge(image, scale));
        images.push(image);
      }
    }
  });

  const screen = screenOf(process.stdout);
  const rows = prompts.map((prompt, i) => ({ label: prompt, images: images.slice(i * count, (i + 1) * count) }));
  for (const [i, { label, images: drawn }] of rows.entries()) {
    if (screen.live && screen.color && json === undefined) print(`\n${label}\n${preview(drawn, screen)}\n`);
    for (const { file, prompt, sample } of requests.slice(i * count, (i + 1) * count)) {
      if (json === undefined) print(file);
      else printJson({ file, prompt, seed, sample });
    }
  }
  if (images.length < 2) return;
  const sheet = contactSheet(rows, { scale, maxPixels: maxMegapixels * 1e6 });
  if (sheet === undefined) return note(`There is no sheet: ${images.length} drawings are too many for one.`);
  const file = join(out, 'sheet.png');
  await writePng(file, sheet);
  if (json === undefined) print(file);
  else note(`All drawings: ${file}`);
}

function progress(done: number, all: number, seconds: number): string {
  const rate = done / seconds;
  return `drawing ${done}/${all}  ${rate.toPrecision(3)} drawings/s  ${duration((all - done) / rate)} left`;
}

/** The words of each prompt as a file name that every system takes; a number tells apart those that would be the same. */
export function fileNames(prompts: readonly string[]): readonly string[] {
  const seen = new Map<string, number>();
  return prompts.map((prompt) => {
    const words = prompt.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? ['drawing'];
    const name = words.join('-').slice(0, 80);
    const before = seen.get(name) ?? 0;
    seen.set(name, before + 1);
    return before === 0 ? name : `${name}-again-${before}`;
  });
}
