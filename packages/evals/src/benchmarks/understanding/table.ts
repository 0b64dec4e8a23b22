/**
 * Benchmarks that VLMEvalKit publishes as one table: tab-separated, a row for each question, its image in base64 or as a path. What they
 * have in common; `tables.ts` says in what they differ.
 *
 * Source of the format: open-compass/VLMEvalKit @ e8e78f0. An image of at most 64 characters is the index of the row that has it.
 */
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import type { JsonValue } from '@gvu/core';
import type { AnsweredQuestion, AskedQuestion, Defect, Mode, QuestionBenchmark, QuestionImage } from '../benchmark.ts';
import { fileError, fingerprint, readTable } from '../files.ts';

export interface TableOptions {
  /** The table. */
  readonly path: string;
  /** The folder that paths of images are relative to. */
  readonly images?: string;
  /** Ask only the rows of this split. */
  readonly split?: string;
  /** Added to each question, in place of the benchmark's own. */
  readonly instruction?: string;
}

export type Row = Readonly<Record<string, string | undefined>>;

export interface TableKind {
  readonly name: string;
  readonly source: string;
  readonly columns: readonly string[];
  readonly defects: readonly Defect[];
  readonly instruction: string;
  readonly maxTokens: number;
  /** What is asked, without the instruction. */
  text(row: Row): string;
  /** Undefined for a row without an answer, which is passed over. */
  reference(row: Row): JsonValue | undefined;
  /** 0 to 1. */
  score(answer: string, reference: JsonValue, options: { readonly mode: Mode; readonly tag: string }): number;
  /** Questions with this in common are one: it is right only if all are. Default: the row. */
  group?(row: Row): string;
  /** Every way in which a row is asked. */
  variants?(row: Row, expanded: boolean): readonly Row[];
}

const referenceLength = 64;

/** Reads the table once, to know its version and which images are shared. Rejects with GVU_BENCHMARK_FILE. */
export async function tableBenchmark(kind: TableKind, options: TableOptions): Promise<QuestionBenchmark> {
  const { path, images, split, instruction = kind.instruction } = options;
  const chosen = (row: Row) => split === undefined || row.split === split;
  const texts: string[] = [instruction, split ?? ''];
  const shared = new Set<string>();
  const groups = new Set<string>();
  let rows = 0;
  for await (const row of table(kind, path)) {
    const { image = '', ...rest } = row;
    if (image !== '' && image.length <= referenceLength) shared.add(image);
    texts.push(JSON.stringify(rest), fingerprint([image]));
    if (!chosen(row) || kind.reference(row) === undefined) continue;
    rows++;
    groups.add(kind.group?.(row) ?? row.index ?? '');
  }
  if (rows === 0)
    throw fileError(path, split === undefined ? 'has no rows with an answer' : `has no answers in split ${split}`);
  const expanded = groups.size < rows;

  return {
    kind: 'understanding',
    name: kind.name,
    version: `1+${fingerprint(texts)}`,
    source: kind.source,
    defects: kind.defects,
    overall: 'items',
    maxTokens: kind.maxTokens,
    async *questions() {
      const kept = new Map<string, string>();
      for await (const row of table(kind, path)) {
        const { index = '', image = '', image_path: file = '' } = row;
        if (shared.has(index)) kept.set(index, image);
        if (!chosen(row)) continue;
        const encoded = image.length <= referenceLength ? (kept.get(image) ?? '') : image;
        const group = kind.group?.(row) ?? index;
        for (const [i, variant] of (kind.variants?.(row, expanded) ?? [row]).entries()) {
          const reference = kind.reference(variant);
          if (reference === undefined) continue;
          const question: AskedQuestion = {
            id: `${group}|${index}|${i}`,
            tag: row.category || row['l2-category'] || 'all',
            cluster: fingerprint([encoded === '' ? file : encoded]),
            text: [kind.text(variant), instruction].filter((part) => part !== '').join('\n'),
            reference,
          };
          yield { question, image: imageOf({ path, index, encoded, file, images }) };
        }
      }
    },
    score(answered, { mode }) {
      const byGroup = new Map<string, { first: AnsweredQuestion; values: number[] }>();
      const records = answered.map((question): JsonValue => {
        const { id, tag, answer, reference } = question;
        const value = kind.score(answer, reference, { mode, tag });
        const group = id.split('|')[0] ?? id;
        const entry = byGroup.get(group) ?? { first: question, values: [] };
        byGroup.set(group, entry);
        entry.values.push(value);
        return { index: id, category: tag, answer, reference, score: value };
      });
      return {
        items: [...byGroup].map(([id, { first, values }]) => {
          return { id, tag: first.tag, cluster: first.cluster, value: Math.min(...values) };
        }),
        unscored: [],
        records,
      };
    },
  };
}

function table({ columns }: TableKind, path: string) {
  return readTable(path, { separator: '\t', columns: ['index', 'question', 'answer', ...columns] });
}

function imageOf(given: {
  readonly path: string;
  readonly index: string;
  readonly encoded: string;
  readonly file: string;
  readonly images: string | undefined;
}): QuestionImage {
  const { path, index, encoded, file, images } = given;
  if (encoded !== '') return { bytes: Buffer.from(encoded, 'base64') };
  if (file !== '') return { file: images === undefined ? file : join(images, file) };
  throw fileError(path, `has no image in row ${index}`);
}
