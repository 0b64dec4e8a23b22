/**
 * POPE: does a model see objects that are not there? 3 × 3,000 questions about 500 images, half of them about absent objects.
 *
 * Source: Y. Li et al., "Evaluating Object Hallucination in Large Vision-Language Models", EMNLP 2023; AoiDragon/POPE @ 08d957b. Papers
 * report F1 (VLMEvalKit's "Overall") or accuracy, averaged over the splits, without always saying which: here both have a name. The
 * labels have known errors (RePOPE), which neither mode mends.
 */
import { join } from 'node:path';
import { isRecord } from '@gvu/core';
import type { AnsweredQuestion, AskedQuestion, Mode, QuestionBenchmark, Scores } from '../benchmark.ts';
import { fileError, fingerprint, readJsonLines } from '../files.ts';
import { parseYesNo } from './matching.ts';

export interface PopeOptions {
  /** The folder of coco_pope_random.jsonl, coco_pope_popular.jsonl and coco_pope_adversarial.jsonl (or .json). */
  readonly path: string;
  /** The folder of COCO's val2014 images. */
  readonly images: string;
  /** Added to each question. */
  readonly instruction?: string;
}

const splits = ['random', 'popular', 'adversarial'] as const;
type Label = 'yes' | 'no';

interface PopeQuestion extends AskedQuestion {
  readonly reference: Label;
  readonly image: string;
}

/** Rejects with GVU_BENCHMARK_FILE. */
export async function pope({
  path,
  images,
  instruction = 'Answer yes or no.',
}: PopeOptions): Promise<QuestionBenchmark> {
  const files = await Promise.all(splits.map(async (split) => await readSplit(path, split)));
  const questions = files.flatMap(({ file, rows }, i) =>
    rows.map(({ value }, row): PopeQuestion => {
      const { question_id: id, image, text, label } = isRecord(value) ? value : {};
      if (typeof image !== 'string' || typeof text !== 'string' || (label !== 'yes' && label !== 'no'))
        throw fileError(file, `has no "image", "text" and "label" in row ${row + 1}`);
      const tag = splits[i] ?? '';
      const asked = instruction === '' ? text : `${text} ${instruction}`;
      return { id: `${tag}/${String(id ?? row)}`, tag, cluster: image, text: asked, reference: label, image };
    }),
  );
  return {
    kind: 'understanding',
    name: 'pope',
    version: `1+${fingerprint([instruction, ...files.flatMap(({ rows }) => rows.map(({ raw }) => raw))])}`,
    source: 'AoiDragon/POPE @ 08d957b',
    defects: [{ id: 'silent-yes', what: 'Every answer that is not "No", "no" or "not" is a yes, even an empty one.' }],
    overall: 'tags',
    maxTokens: 16,
    async *questions() {
      for (const question of questions) yield { question, image: { file: join(images, question.image) } };
    },
    score: (answered, { mode }) => popeScores(answered, mode),
  };
}

async function readSplit(path: string, split: string) {
  // The official files are JSON lines with the ending .json.
  const names = [`coco_pope_${split}.jsonl`, `coco_pope_${split}.json`].map((name) => join(path, name));
  const [first = '', second = ''] = names;
  return await readJsonLines(first).then(
    (rows) => ({ file: first, rows }),
    async () => ({ file: second, rows: await readJsonLines(second) }),
  );
}

/** Of answered questions whose reference is `yes` or `no`. */
export function popeScores(answered: readonly AnsweredQuestion[], mode: Mode): Scores {
  const rows = answered.map(({ id, tag, cluster, reference, answer }) => {
    const said = parseYesNo(answer, mode);
    return { id, tag, cluster, label: reference === 'yes' ? 'yes' : 'no', said, answer };
  });
  const count = (drawn: readonly number[], label: Label | null, said: Label) =>
    drawn.filter((i) => (label === null || rows[i]?.label === label) && rows[i]?.said === said).length;
  const labelled = (drawn: readonly number[], label: Label) => drawn.filter((i) => rows[i]?.label === label).length;
  const precision = (drawn: readonly number[]) => ratio(count(drawn, 'yes', 'yes'), count(drawn, null, 'yes'));
  const recall = (drawn: readonly number[]) => ratio(count(drawn, 'yes', 'yes'), labelled(drawn, 'yes'));
  const f1 = (drawn: readonly number[]) => {
    const [p, r] = [precision(drawn), recall(drawn)];
    return ratio(2 * p * r, p + r);
  };
  const within = (split: string, metric: (drawn: readonly number[]) => number) => (drawn: readonly number[]) =>
    metric(drawn.filter((i) => rows[i]?.tag === split));
  return {
    // Of accuracy; the other numbers are no means of questions.
    items: rows.map(({ id, tag, cluster, label, said }) => ({ id, tag, cluster, value: said === label ? 1 : 0 })),
    extra: [
      { name: 'F1', of: f1 },
      ...[...new Set(rows.map(({ tag }) => tag))].map((split) => ({ name: `F1 ${split}`, of: within(split, f1) })),
      { name: 'precision', of: precision },
      { name: 'recall', of: recall },
      { name: 'yes ratio', of: (drawn) => ratio(count(drawn, null, 'yes'), drawn.length) },
    ],
    unscored: [],
    records: rows.map(({ id, label, said, answer }) => ({ question_id: id, label, parsed: said, answer })),
  };
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
