/**
 * GenEval: four images of each of 553 prompts, judged by a detector that tells colours.
 *
 * Source: djghosh13/geneval @ af4902f. The overall score is the unweighted mean of the tasks' accuracies. Two other numbers that the
 * official summary prints, the share of right images and of prompts with any right image, are kept apart: papers confuse them.
 * Its script has no defect that changes a score, so that both modes are the same.
 */
import type { JsonValue } from '@gvu/core';
import type { DrawnImage, GenerationBenchmark, OutputFile, Scores } from '../benchmark.ts';
import { dataFile, fingerprint } from '../files.ts';
import { type Detection, requireAbility } from '../judge.ts';
import { type GenEvalItem, type GenEvalMetadata, readGenEvalItems } from './metadata.ts';
import { type DetectionThresholds, genEvalThresholds, judgeObjects, keepDetections } from './rules.ts';

export interface GenEvalOptions {
  /** Metadata in GenEval's format. Default: the official ones. */
  readonly path?: string;
}

/** Rejects with GVU_BENCHMARK_FILE. */
export async function genEval({ path }: GenEvalOptions): Promise<GenerationBenchmark> {
  return genEvalOf({
    name: 'geneval',
    source: 'djghosh13/geneval @ af4902f',
    items: await readGenEvalItems(path ?? dataFile('geneval/evaluation_metadata.jsonl')),
    imagesPerPrompt: 4,
    thresholds: genEvalThresholds,
  });
}

export interface GenEvalParts {
  readonly name: string;
  readonly source: string;
  readonly items: readonly GenEvalItem[];
  readonly imagesPerPrompt: number;
  readonly thresholds: DetectionThresholds;
}

/** GenEval's rules for any metadata of its format. */
export function genEvalOf({ name, source, items, imagesPerPrompt, thresholds }: GenEvalParts): GenerationBenchmark {
  const byId = new Map(items.map((item) => [item.id, item]));
  return {
    kind: 'generation',
    name,
    version: `1+${fingerprint([JSON.stringify(thresholds), ...items.map(({ raw }) => raw)])}`,
    source,
    defects: [],
    overall: 'tags',
    items,
    imagesPerPrompt,
    abilities: ['detect'],
    layout: (item, images): readonly OutputFile[] => {
      const folder = item.id.padStart(5, '0');
      return [
        { path: `${folder}/metadata.jsonl`, content: byId.get(item.id)?.raw ?? '' },
        ...images.map((content, i) => ({ path: `${folder}/samples/${String(i).padStart(5, '0')}.png`, content })),
      ];
    },
    async score(batches, { judge, signal }) {
      const detector = requireAbility(judge, { ability: 'detect', benchmark: name });
      const all: JudgedImage[] = [];
      for await (const images of batches) {
        const asked = images.map(({ item, pixels }) => ({ pixels, classes: classesOf(byId.get(item.id)?.asked) }));
        const detections = await detector.detect(asked, { signal });
        for (const [i, image] of images.entries()) {
          const item = byId.get(image.item.id);
          if (item) all.push(judged({ image, item, detections: detections[i] ?? [], thresholds }));
        }
      }
      return genEvalScores(all);
    },
  };
}

/** Every class that the metadata name. */
export function classesOf(asked: GenEvalMetadata | undefined): readonly string[] {
  return [...new Set([...(asked?.include ?? []), ...(asked?.exclude ?? [])].map((entry) => entry.class))];
}

interface JudgedImage {
  readonly item: GenEvalItem;
  readonly correct: boolean;
  readonly record: JsonValue;
}

function judged(given: {
  readonly image: DrawnImage;
  readonly item: GenEvalItem;
  readonly detections: readonly Detection[];
  readonly thresholds: DetectionThresholds;
}): JudgedImage {
  const { image, item, detections, thresholds } = given;
  const found = keepDetections(item.tag, detections, thresholds);
  const { correct, reasons } = judgeObjects(item.asked, found, image.pixels);
  const boxes = [...found].map(([name, list]) => [
    name,
    list.map(({ box, confidence }) => [box.left, box.top, box.right, box.bottom, confidence]),
  ]);
  const file = `${item.id.padStart(5, '0')}/samples/${String(image.sample).padStart(5, '0')}.png`;
  return {
    item,
    correct,
    // The columns of the official results.jsonl.
    record: {
      filename: file,
      tag: item.tag,
      prompt: item.prompt,
      correct,
      reason: reasons.join('\n'),
      metadata: item.raw,
      details: JSON.stringify(Object.fromEntries(boxes)),
    },
  };
}

function genEvalScores(judgedImages: readonly JudgedImage[]): Scores {
  const byItem = new Map<GenEvalItem, boolean[]>();
  for (const { item, correct } of judgedImages) byItem.set(item, [...(byItem.get(item) ?? []), correct]);
  const prompts = [...byItem].map(([{ id, tag }, images]) => {
    const right = images.filter(Boolean).length;
    return { id, tag, right, images: images.length };
  });
  const sum = (of: (prompt: (typeof prompts)[number]) => number) => (drawn: readonly number[]) =>
    drawn.reduce((total, i) => total + (prompts[i] ? of(prompts[i]) : 0), 0);
  const images = sum((prompt) => prompt.images);
  const right = sum((prompt) => prompt.right);
  const any = sum((prompt) => (prompt.right > 0 ? 1 : 0));
  return {
    items: prompts.map(({ id, tag, ...prompt }) => ({ id, tag, value: prompt.right / prompt.images })),
    extra: [
      { name: 'correct images', of: (drawn) => right(drawn) / images(drawn) },
      { name: 'prompts with a correct image', of: (drawn) => any(drawn) / drawn.length },
    ],
    unscored: [],
    records: judgedImages.map(({ record }) => record),
  };
}
