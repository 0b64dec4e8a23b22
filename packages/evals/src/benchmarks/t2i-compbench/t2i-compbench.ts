/**
 * T2I-CompBench and its ++: ten images of each of 300 prompts in eight categories. Colour, shape and texture: the product of the
 * probabilities that each thing of the prompt is there, described as it is (BLIP-VQA). Spatial and numeracy: detections (UniDet), in depth
 * also a map of depth (DPT). Non-spatial: the similarity of image and prompt (CLIPScore). Complex: the mean of attributes with the place,
 * the similarity or both, as the official lists of prompts say.
 *
 * Source: Karine-Huang/T2I-CompBench @ 1b70949. A category is scored if the judge can do what it takes, and otherwise reported as
 * unscored. The categories are never averaged into one number by its authors; the overall row here is for comparing runs. Differences: a
 * negative similarity is 0; for complex prompts adjectives stay in the text that is compared.
 */
import type { JsonValue } from '@gvu/core';
import type { BenchmarkItem, DrawnImage, GenerationBenchmark, Mode, ScoreOptions, Scores } from '../benchmark.ts';
import { dataFile, fingerprint, readText, textLines } from '../files.ts';
import { type Detection, hasAbility, requireAbility } from '../judge.ts';
import {
  type Countable,
  className,
  countable,
  counts,
  depthLocalities,
  nounPhrases,
  planeLocalities,
  type SpatialClaim,
  spatialClaim,
} from './phrases.ts';
import { depthScore, frameScale, inFrame, numeracyScore, spatialScore } from './rules.ts';

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
  { id: 'on-top-of', what: 'The place "on top of" is found but never fulfilled.' },
  { id: 'one-for-two', what: 'One person stands for two: "a girl next to a woman" holds with one of them.' },
  { id: 'other-names', what: 'A ship is not looked for as a boat but in counting, a television never as a tv.' },
  { id: 'unread-place-is-zero', what: 'A complex prompt in which no things in a place are found has 0 for the place.' },
  { id: 'depth-axes', what: 'The depth of a box is read at the place mirrored on the diagonal of the image.' },
  { id: 'last-of-several', what: 'In depth, of several things of a kind not the most confident one may be taken.' },
  { id: 'half-overlap', what: 'In depth, boxes that overlap by exactly half count as if they did not.' },
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
  const known = await readKnown();
  return {
    kind: 'generation',
    name: 't2i-compbench',
    version: `2+${fingerprint([...lists.map(({ text }) => text), known.text])}`,
    source: 'Karine-Huang/T2I-CompBench @ 1b70949',
    defects,
    overall: 'tags',
    items,
    imagesPerPrompt: 10,
    abilities: ['probability', 'answer', 'detect', 'similarity', 'depth'],
    // The official scripts take the prompt from the file's name, up to the first underscore.
    layout: (item, images) =>
      images.map((content, sample) => {
        const number = Number(item.id.split('/')[1]) * images.length + sample;
        return { path: `${item.tag}/samples/${item.prompt}_${String(number).padStart(6, '0')}.png`, content };
      }),
    score: (batches, options) => score(batches, { ...options, known }),
  };
}

/** What the official lists say of things and prompts. */
interface Known {
  readonly text: string;
  readonly objects: Countable;
  /** What a complex prompt is scored by besides its attributes. */
  complexParts(prompt: string): readonly ('place' | 'similarity')[];
}

async function readKnown(): Promise<Known> {
  const [objects = '', spatial = '', action = ''] = await Promise.all(
    ['new_objects', 'complex_val_spatial', 'complex_val_action'].map((name) =>
      readText(dataFile(`t2i-compbench/${name}.txt`)),
    ),
  );
  const lines = (text: string) => textLines(text).map((line) => line.text);
  const key = (prompt: string) => (prompt.split('.')[0] ?? '').trim().toLowerCase();
  const [spatials, actions] = [spatial, action].map((text) => new Set(lines(text).map(key)));
  return {
    text: [objects, spatial, action].join('\n'),
    objects: countable(lines(objects)),
    complexParts: (prompt) => {
      if (spatials?.has(key(prompt))) return ['place'];
      return actions?.has(key(prompt)) ? ['similarity'] : ['place', 'similarity'];
    },
  };
}

type Scoring = ScoreOptions & { readonly known: Known };

async function score(batches: AsyncIterable<readonly DrawnImage[]>, options: Scoring): Promise<Scores> {
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
async function imageScore(image: DrawnImage, options: Scoring): Promise<number | string> {
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
    case 'complex':
      return await complex(image, options);
    case '3d_spatial':
      return await inDepth(image, options);
    default:
      throw new RangeError(`unreachable: there is no category '${image.item.tag}'`);
  }
}

async function complex(image: DrawnImage, options: Scoring): Promise<number | string> {
  const parts = [await attributes(image, options)];
  for (const part of options.known.complexParts(image.item.prompt)) {
    if (part === 'similarity') parts.push(await similarity(image, options));
    else {
      const place = await spatial(image, options);
      // Defect unread-place-is-zero.
      if (place !== null || options.mode === 'official') parts.push(place ?? 0);
    }
  }
  const missing = parts.find((part) => typeof part === 'string');
  return missing ?? mean(parts.filter((part) => typeof part === 'number'));
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

/** The objects of these classes, as `inFrame` gives them. */
async function detections(
  { item, pixels }: DrawnImage,
  classes: readonly string[],
  { judge, signal }: ScoreOptions,
): Promise<readonly Detection[]> {
  const detector = requireAbility(judge, { ability: 'detect', benchmark: `t2i-compbench/${item.tag}` });
  const [found = []] = await detector.detect([{ pixels, classes: [...new Set(classes)] }], { signal });
  return inFrame(found, frameScale(pixels));
}

/** The claim of a prompt in a detector's names; null when it names no such place. */
function claimOf<L extends string>(prompt: string, localities: readonly L[], mode: Mode): SpatialClaim<L> | null {
  const claim = spatialClaim(prompt, localities);
  if (!claim) return null;
  const named = (noun: string) => className(noun, { mode, counting: false });
  return { ...claim, object: named(claim.object), target: named(claim.target) };
}

/** Null when the prompt names no place. */
async function spatial(image: DrawnImage, options: ScoreOptions): Promise<number | string | null> {
  const claim = claimOf(image.item.prompt, planeLocalities, options.mode);
  if (!claim) return null;
  if (!hasAbility(options.judge, 'detect')) return cannot('detect');
  return spatialScore(claim, await detections(image, [claim.object, claim.target], options), options.mode);
}

async function inDepth(image: DrawnImage, options: ScoreOptions): Promise<number | string> {
  const { judge, mode, signal } = options;
  const { pixels } = image;
  const claim = claimOf(image.item.prompt, depthLocalities, mode);
  if (!claim) return 'the prompt names no place';
  if (!hasAbility(judge, 'detect')) return cannot('detect');
  if (!hasAbility(judge, 'depth')) return cannot('depth');
  const found = await detections(image, [claim.object, claim.target], options);
  const [map] = await judge.depth([{ pixels }], { signal });
  const scale = frameScale(pixels);
  /** Of the pixel of the map that has the middle of a pixel of the frame. */
  const nearness = (x: number, y: number) => {
    const [column, row] = [(x + 0.5) / (scale * pixels.width), (y + 0.5) / (scale * pixels.height)];
    if (!map || column >= 1 || row >= 1) return undefined;
    return map.nearness[Math.floor(row * map.height) * map.width + Math.floor(column * map.width)];
  };
  return depthScore(claim, found, { mode, nearness });
}

async function numeracy(image: DrawnImage, options: Scoring): Promise<number | string> {
  const { mode, known } = options;
  const asked = counts(image.item.prompt, known.objects).map(({ object, count }) => ({
    object: className(object, { mode, counting: true }),
    count,
  }));
  if (asked.length === 0) return 'the prompt names no number';
  if (!hasAbility(options.judge, 'detect')) return cannot('detect');
  const classes = asked.map(({ object }) => object);
  return numeracyScore(asked, await detections(image, classes, options));
}

async function similarity({ item, pixels }: DrawnImage, { judge, signal }: ScoreOptions): Promise<number | string> {
  if (!hasAbility(judge, 'similarity')) return cannot('similarity');
  const [value = 0] = await judge.similarity([{ pixels, text: item.prompt }], { signal });
  return Math.max(0, value);
}

function cannot(ability: 'probability' | 'detect' | 'similarity' | 'depth'): string {
  const what = {
    probability: 'answer questions',
    detect: 'detect objects',
    similarity: 'compare image and text',
    depth: 'tell the depth of images',
  };
  return `the judge cannot ${what[ability]}`;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
