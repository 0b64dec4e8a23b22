/**
 * Imagine-Bench: one image of each of 270 prompts that change a known thing in a fantastic way. A language model gives 0 to 10 points
 * for the change, for what must stay recognisable, and for beauty; the score of an image is 0.8 times the lower of the first two, and
 * 0.2 times the third.
 *
 * Source: yejy53/Echo-4o @ 28f36d7. The sentences of the judge's task are GvU's own and part of the version. The official script's
 * treatment of replies that cannot be read is not known here: they are left out and counted in both modes.
 */
import { isRecord, type JsonValue } from '@gvu/core';
import type { BenchmarkItem, GenerationBenchmark, ItemScore } from './benchmark.ts';
import { dataFile, fileError, fingerprint, readJsonLines } from './files.ts';
import { requireAbility } from './judge.ts';

const judgeInstruction = [
  'You rate a picture that was made for an imaginative prompt, with whole numbers from 0 to 10:',
  'fantasy: how fully the picture shows the fantastic change that the note asks for;',
  'identity: how well everything that the note says must stay can still be recognised;',
  'aesthetic: how well made and pleasing the picture is.',
  'Reply with JSON alone: {"fantasy": n, "identity": n, "aesthetic": n}.',
].join('\n');

export interface ImagineOptions {
  /** Default: the official Imagine.jsonl. */
  readonly path?: string;
}

interface ImagineItem extends BenchmarkItem {
  readonly note: string;
}

export interface Points {
  readonly fantasy: number;
  readonly identity: number;
  readonly aesthetic: number;
}

/** 0 to 1 of points from 0 to 10. */
export function imagineScore({ fantasy, identity, aesthetic }: Points): number {
  return (0.8 * Math.min(fantasy, identity) + 0.2 * aesthetic) / 10;
}

/** The points of a reply; null when one is missing or out of range. */
export function parsePoints(text: string | null): Points | null {
  const json = text?.match(/\{[^{}]*\}/)?.[0];
  let value: unknown;
  try {
    value = json === undefined ? null : JSON.parse(json);
  } catch {
    return null;
  }
  if (!isRecord(value)) return null;
  const { fantasy, identity, aesthetic } = value;
  return isPoint(fantasy) && isPoint(identity) && isPoint(aesthetic) ? { fantasy, identity, aesthetic } : null;
}

function isPoint(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 10;
}

/** Rejects with GVU_BENCHMARK_FILE. */
export async function imagineBench({ path }: ImagineOptions): Promise<GenerationBenchmark> {
  const file = path ?? dataFile('imagine-bench/Imagine.jsonl');
  const rows = await readJsonLines(file);
  const items = rows.map(({ value }, i): ImagineItem => {
    if (!isRecord(value) || typeof value.instruction !== 'string' || typeof value.note !== 'string')
      throw fileError(file, `has no "instruction" and "note" in row ${i + 1}`);
    const { id, instruction, note, type } = value;
    return { id: String(id ?? i + 1), tag: String(type ?? 'all'), prompt: instruction, note, metadata: { note } };
  });
  const notes = new Map(items.map(({ id, note }) => [id, note]));
  return {
    kind: 'generation',
    name: 'imagine-bench',
    version: `1+${fingerprint([judgeInstruction, ...rows.map(({ raw }) => raw)])}`,
    source: 'yejy53/Echo-4o @ 28f36d7',
    defects: [],
    overall: 'items',
    items,
    imagesPerPrompt: 1,
    abilities: ['answer'],
    layout: (item, images) =>
      images.map((content, sample) => ({
        path: sample === 0 ? `${item.id}.png` : `${item.id}_${sample}.png`,
        content,
      })),
    async score(batches, { judge, signal }) {
      const reader = requireAbility(judge, { ability: 'answer', benchmark: 'imagine-bench' });
      const values = new Map<string, { tag: string; values: number[] }>();
      const records: JsonValue[] = [];
      for await (const images of batches) {
        const questions = images.map(({ item, pixels }) => {
          const question = `Prompt: ${item.prompt}\nNote: ${notes.get(item.id) ?? ''}`;
          return { pixels, system: judgeInstruction, question };
        });
        const replies = await reader.answer(questions, { signal });
        for (const [i, { item, sample }] of images.entries()) {
          const points = parsePoints(replies[i] ?? null);
          const entry = values.get(item.id) ?? { tag: item.tag, values: [] };
          values.set(item.id, entry);
          if (points) entry.values.push(imagineScore(points));
          records.push({ id: item.id, sample, type: item.tag, ...points, reply: replies[i] ?? null });
        }
      }
      const all = [...values];
      return {
        items: all.flatMap(([id, { tag, values: own }]): ItemScore[] =>
          own.length === 0 ? [] : [{ id, tag, value: own.reduce((sum, value) => sum + value, 0) / own.length }],
        ),
        unscored: all.flatMap(([id, { values: own }]) =>
          own.length === 0 ? [{ id, why: 'no points in the reply of the judge' }] : [],
        ),
        records,
      };
    },
  };
}
