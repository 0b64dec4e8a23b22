/**
 * GenEval++: one image of each of 280 prompts in seven tags, judged by a language model with a checklist, or by a detector under the
 * rules of `../geneval/rules.ts` (which is not the official protocol: results name the judge).
 *
 * Source: yejy53/Echo-4o @ 28f36d7, and the variant of matrix0721/GvU (a pinned judge, six tries, files 0.png, 1.png, ...), which is the
 * one here. A missing image is wrong.
 */
import type { JsonValue } from '@gvu/core';
import type { DrawnImage, GenerationBenchmark, ScoreOptions, Scores } from '../benchmark.ts';
import { dataFile, fingerprint } from '../files.ts';
import { classesOf } from '../geneval/geneval.ts';
import { type GenEvalItem, readGenEvalItems } from '../geneval/metadata.ts';
import { type DetectionThresholds, judgeObjects, keepDetections } from '../geneval/rules.ts';
import { hasAbility, requireAbility } from '../judge.ts';
import { checklist, judgeInstruction, parseReply } from './checklist.ts';

export interface GenEvalPlusOptions {
  /** Metadata in GenEval++'s format. Default: the official ones. */
  readonly path?: string;
}

/** For a detector; GenEval++ has none, and asks for counts of every tag. */
const thresholds: DetectionThresholds = { threshold: 0.3, countingThreshold: 0.3 };

interface Verdict {
  /** Null: the judge failed. */
  readonly correct: boolean | null;
  readonly reason: string;
}

/** Rejects with GVU_BENCHMARK_FILE. */
export async function genEvalPlus({ path }: GenEvalPlusOptions): Promise<GenerationBenchmark> {
  return genEvalPlusOf({
    name: 'geneval-pp',
    source: 'yejy53/Echo-4o @ 28f36d7, judged as in matrix0721/GvU',
    items: await readGenEvalItems(path ?? dataFile('geneval-pp/Geneval++.jsonl')),
  });
}

/** GenEval++'s rules for any metadata of its format. */
export function genEvalPlusOf(given: {
  readonly name: string;
  readonly source: string;
  readonly items: readonly GenEvalItem[];
}): GenerationBenchmark {
  const { name, source, items } = given;
  const byId = new Map(items.map((item) => [item.id, item]));
  return {
    kind: 'generation',
    name,
    version: `1+${fingerprint([judgeInstruction, JSON.stringify(thresholds), ...items.map(({ raw }) => raw)])}`,
    source,
    defects: [
      {
        id: 'judge-failure-is-wrong',
        what: 'An image whose judge failed in every try counts as wrong, though nothing is known of it.',
      },
    ],
    overall: 'tags',
    items,
    imagesPerPrompt: 1,
    abilities: ['answer', 'detect'],
    layout: (item, images) =>
      images.map((content, sample) => ({
        path: sample === 0 ? `${item.id}.png` : `${item.id}_${sample}.png`,
        content,
      })),
    async score(batches, options) {
      const judged: JudgedImage[] = [];
      for await (const images of batches) {
        const verdicts = await verdictsOf(images, { ...options, name, byId });
        for (const [i, { item, sample }] of images.entries()) {
          judged.push({ item, sample, ...(verdicts[i] ?? { correct: null, reason: 'no verdict' }) });
        }
      }
      return scoresOf(judged, options);
    },
  };
}

type JudgedImage = Omit<DrawnImage, 'pixels'> & Verdict;

interface Asked extends ScoreOptions {
  readonly name: string;
  readonly byId: ReadonlyMap<string, GenEvalItem>;
}

async function verdictsOf(images: readonly DrawnImage[], asked: Asked): Promise<readonly Verdict[]> {
  const { judge, signal, name, byId } = asked;
  const metadata = images.map(({ item }) => byId.get(item.id)?.asked ?? { tag: '', prompt: '', include: [] });
  if (hasAbility(judge, 'answer')) {
    const questions = images.map(({ pixels }, i) => {
      return { pixels, system: judgeInstruction, question: metadata[i] ? checklist(metadata[i]) : '' };
    });
    const replies = await judge.answer(questions, { signal });
    return images.map((_, i) => parseReply(replies[i] ?? null) ?? { correct: null, reason: 'no verdict in the reply' });
  }
  const detector = requireAbility(judge, { ability: 'detect', benchmark: name });
  const detections = await detector.detect(
    images.map(({ pixels }, i) => ({ pixels, classes: classesOf(metadata[i]) })),
    { signal },
  );
  return images.map(({ item, pixels }, i) => {
    const found = keepDetections(item.tag, detections[i] ?? [], thresholds);
    const { correct, reasons } = judgeObjects(metadata[i] ?? { include: [] }, found, pixels);
    return { correct, reason: reasons.join('\n') };
  });
}

function scoresOf(images: readonly JudgedImage[], { mode }: Pick<ScoreOptions, 'mode'>): Scores {
  const byItem = new Map<string, { tag: string; values: number[]; failed: number }>();
  const records = images.map(({ item, sample, correct, reason }): JsonValue => {
    const entry = byItem.get(item.id) ?? { tag: item.tag, values: [], failed: 0 };
    byItem.set(item.id, entry);
    // Defect judge-failure-is-wrong: the official script writes -1 and divides by all images.
    if (correct !== null || mode === 'official') entry.values.push(correct === true ? 1 : 0);
    else entry.failed++;
    return {
      id: item.id,
      sample,
      tag: item.tag,
      prompt: item.prompt,
      correct: correct === null ? -1 : Number(correct),
      reason,
    };
  });
  const all = [...byItem];
  return {
    items: all.flatMap(([id, { tag, values }]) => (values.length === 0 ? [] : [{ id, tag, value: mean(values) }])),
    unscored: all.flatMap(([id, { values, failed }]) =>
      values.length === 0 ? [{ id, why: `the judge failed on ${failed} images` }] : [],
    ),
    records,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
