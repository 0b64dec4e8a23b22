/**
 * T2I-CompBench and its ++: ten images of each of 300 prompts in eight categories. Colour, shape and texture: the product of the
 * probabilities that each thing of the prompt is there, described as it is (BLIP-VQA). Spatial and numeracy: detections (UniDet).
 * Non-spatial: the similarity of image and prompt (CLIPScore). Complex: the mean of those of the three that the prompt calls for.
 *
 * Source: Karine-Huang/T2I-CompBench @ 1b70949. A category is scored if the judge can do what it takes, and otherwise reported as
 * unscored; 3d_spatial needs the depth of the image, which no judge here tells, and is only drawn. The categories are never averaged
 * into one number by its authors; the overall row here is for comparing runs.
 */
import type { JsonValue } from '@gvu/core';
import type { BenchmarkItem, DrawnImage, GenerationBenchmark, ScoreOptions, Scores } from '../benchmark.ts';
import { dataFile, fingerprint, readText, textLines } from '../files.ts';
import { type Detection, hasAbility, requireAbility } from '../judge.ts';
import { counts, nounPhrases, spatialClaim } from './phrases.ts';
import { numeracyScore, spatialScore } from './rules.ts';

export const t2iCategories = [
  'color',
  'shape',
  'texture',
  'spatial',
  'non_spatial',
  'complex',
  '3d_spatial',
  'numeracy',
] as const;
type Category = (typeof t2iCategories)[number];

export interface T2iOptions {
  /** Default: all eight. */
  readonly categories?: readonly Category[];
}

const defects = [
  { id: 'near-on-one-axis', what: 'Things are near when they are on one axis, however far apart on the other.' },
  { id: 'near-in-pixels', what: 'Near is less than 150 pixels, whatever the size of the image.' },
  { id: 'on-top-of', what: 'The place "on top of" is found but never fulfilled.' },
  { id: 'no-phrase-is-right', what: 'A prompt in which no thing is found is scored 1 for its attributes.' },
] as const;

/** Rejects with GVU_BENCHMARK_FILE. */
export async function t2iCompBench({ categories = t2iCategories }: T2iOptions): Promise<GenerationBenchmark> {
  const lists = await Promise.all(
    categories.map(async (tag) => ({ tag, text: await readText(dataFile(`t2i-compbench/${tag}_val.txt`)) })),
  );
  const items = lists.flatMap(({ tag, text }) =>
    textLines(text).map((line, i): BenchmarkItem => {
      return { id: `${tag}/${i}`, tag, prompt: line.text.trim(), metadata: null };
    }),
  );
  return {
    kind: 'generation',
    name: 't2i-compbench',
    version: `1+${fingerprint(lists.map(({ text }) => text))}`,
    source: 'Karine-Huang/T2I-CompBench @ 1b70949',
    defects,
    overall: 'tags',
    items,
    imagesPerPrompt: 10,
    abilities: ['probability', 'answer', 'detect', 'similarity'],
    // The official scripts take the prompt from the file's name, up to the first underscore.
    layout: (item, images) =>
      images.map((content, sample) => {
        const number = Number(item.id.split('/')[1]) * images.length + sample;
        return { path: `${item.tag}/samples/${item.prompt}_${String(number).padStart(6, '0')}.png`, content };
      }),
    score,
  };
}

async function score(batches: AsyncIterable<readonly DrawnImage[]>, options: ScoreOptions): Promise<Scores> {
  const unscored: { id: string; why: string }[] = [];
  const values = new Map<string, { tag: string; values: number[] }>();
  const records: JsonValue[] = [];
  for await (const images of batches) {
    for (const image of images) {
      const { id, tag, prompt } = image.item;
      const value = await imageScore(image, options);
      if (typeof value === 'string') {
        if (unscored.at(-1)?.id !== id) unscored.push({ id, why: value });
        continue;
      }
      const entry = values.get(id) ?? { tag, values: [] };
      values.set(id, entry);
      entry.values.push(value);
      records.push({ category: tag, prompt, sample: image.sample, answer: value });
    }
  }
  return {
    items: [...values].map(([id, { tag, values: own }]) => ({ id, tag, value: mean(own) })),
    unscored,
    records,
  };
}

/** 0 to 1, or why there is none. */
async function imageScore(image: DrawnImage, options: ScoreOptions): Promise<number | string> {
  switch (image.item.tag) {
    case 'color':
    case 'shape':
    case 'texture':
      return await attributes(image, options);
    case 'spatial':
      return (await spatial(image, options)) ?? 'the prompt names no place';
    case 'numeracy':
      return await numeracy(image, options);
    case 'non_spatial':
      return await similarity(image, options);
    case 'complex': {
      const parts = [await attributes(image, options), await spatial(image, options), await similarity(image, options)];
      const missing = parts.find((part) => typeof part === 'string');
      // A prompt without a place is scored without one.
      return missing ?? mean(parts.filter((part) => typeof part === 'number'));
    }
    default:
      return 'the depth of images is not judged here';
  }
}

async function attributes(
  { item, pixels }: DrawnImage,
  { judge, mode, signal }: ScoreOptions,
): Promise<number | string> {
  const questions = nounPhrases(item.prompt).map((phrase) => ({ pixels, question: `${phrase}?` }));
  // Defect no-phrase-is-right.
  if (questions.length === 0) return mode === 'official' ? 1 : 'the prompt names no thing';
  if (hasAbility(judge, 'probability')) {
    const probabilities = await judge.probability(questions, { signal });
    return probabilities.reduce((product, value) => product * value, 1);
  }
  if (!hasAbility(judge, 'answer')) return cannot('probability');
  const answers = await judge.answer(questions, { signal });
  return answers.every((answer) => /^\s*yes\b/i.test(answer ?? '')) ? 1 : 0;
}

async function detections(
  { item, pixels }: DrawnImage,
  classes: readonly string[],
  { judge, signal }: ScoreOptions,
): Promise<readonly Detection[]> {
  const detector = requireAbility(judge, { ability: 'detect', benchmark: `t2i-compbench/${item.tag}` });
  const [found = []] = await detector.detect([{ pixels, classes }], { signal });
  return found;
}

/** Null when the prompt names no place. */
async function spatial(image: DrawnImage, options: ScoreOptions): Promise<number | string | null> {
  const claim = spatialClaim(image.item.prompt);
  if (!claim) return null;
  if (!hasAbility(options.judge, 'detect')) return cannot('detect');
  const found = await detections(image, [claim.object, claim.target], options);
  return spatialScore(claim, found, { mode: options.mode, width: image.pixels.width });
}

async function numeracy(image: DrawnImage, options: ScoreOptions): Promise<number | string> {
  const asked = counts(image.item.prompt);
  if (asked.length === 0) return 'the prompt names no number';
  if (!hasAbility(options.judge, 'detect')) return cannot('detect');
  const classes = [...new Set(asked.map(({ object }) => object))];
  return numeracyScore(asked, await detections(image, classes, options));
}

async function similarity({ item, pixels }: DrawnImage, { judge, signal }: ScoreOptions): Promise<number | string> {
  if (!hasAbility(judge, 'similarity')) return cannot('similarity');
  const [value = 0] = await judge.similarity([{ pixels, text: item.prompt }], { signal });
  return Math.max(0, value);
}

function cannot(ability: 'probability' | 'detect' | 'similarity'): string {
  const what = { probability: 'answer questions', detect: 'detect objects', similarity: 'compare image and text' };
  return `the judge cannot ${what[ability]}`;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
