/**
 * GenEval's metadata: what an image must show and must not. `region` and `size` are additions of GenEval++.
 * Sources: djghosh13/geneval @ af4902f, prompts/evaluation_metadata.jsonl; yejy53/Echo-4o @ 28f36d7, test_scripts/Geneval++.jsonl.
 */
import { defineConfig, isGvuError, type JsonValue } from '@gvu/core';
import type { BenchmarkItem } from '../benchmark.ts';
import { fileError, type JsonLine, readJsonLines } from '../files.ts';

export const relations = ['left of', 'right of', 'above', 'below'] as const;
export type Relation = (typeof relations)[number];

export const regions = ['left', 'right', 'above', 'below'] as const;
/** A half of the image. */
export type Region = (typeof regions)[number];

export interface Included {
  readonly class: string;
  readonly count: number;
  readonly color?: string;
  /** In which relation each object stands to each of an earlier entry, given by its index. */
  readonly position?: readonly [relation: Relation, index: number];
  readonly region?: Region;
  readonly size?: 'larger' | 'smaller';
}

export interface Excluded {
  readonly class: string;
  readonly count: number;
}

export interface GenEvalMetadata {
  readonly tag: string;
  readonly prompt: string;
  readonly include: readonly Included[];
  readonly exclude?: readonly Excluded[];
}

const name = { type: 'string', minLength: 1 } as const;
const count = { type: 'integer', minimum: 1 } as const;
const metadataConfig = defineConfig({
  type: 'object',
  required: ['tag', 'prompt', 'include'],
  properties: {
    tag: name,
    prompt: name,
    include: {
      type: 'array',
      items: {
        type: 'object',
        required: ['class', 'count'],
        properties: {
          class: name,
          count,
          color: name,
          position: {
            type: 'array',
            prefixItems: [{ enum: relations }, { type: 'integer', minimum: 0 }],
            minItems: 2,
            items: false,
          },
          region: { enum: regions },
          size: { enum: ['larger', 'smaller'] },
        },
      },
    },
    exclude: {
      type: 'array',
      items: { type: 'object', required: ['class', 'count'], properties: { class: name, count } },
    },
  },
});

export interface GenEvalItem extends BenchmarkItem {
  readonly asked: GenEvalMetadata;
  /** The row as it stands in the file, which is what the official layout holds. */
  readonly raw: string;
}

/** Rejects with GVU_BENCHMARK_FILE for rows that are none, naming all of them. */
export async function readGenEvalItems(path: string): Promise<readonly GenEvalItem[]> {
  return genEvalItems(await readJsonLines(path), path);
}

/** Rows of metadata as items; an item's id is its place. Throws GVU_BENCHMARK_FILE. */
export function genEvalItems(rows: readonly JsonLine[], path: string): readonly GenEvalItem[] {
  const problems: string[] = [];
  const items = rows.flatMap(({ value, raw }, i): GenEvalItem[] => {
    try {
      const asked = parseMetadata(value, `row ${i + 1}`);
      return [{ id: String(i), tag: asked.tag, prompt: asked.prompt, metadata: value, asked, raw }];
    } catch (error) {
      if (!isGvuError(error)) throw error;
      problems.push(error.message);
      return [];
    }
  });
  if (problems.length > 0)
    throw fileError(
      path,
      `has ${problems.length} rows that are not GenEval's:\n  ${problems.slice(0, 5).join('\n  ')}\n`,
    );
  if (items.length === 0) throw fileError(path, 'has no rows');
  return items;
}

/** Throws GVU_CONFIG_INVALID for what is no metadata, also for a relation to an entry that does not come earlier. */
export function parseMetadata(value: JsonValue, source: string): GenEvalMetadata {
  // What fits the schema is metadata: of a tuple, no type can be derived from it.
  const asked = metadataConfig.parse(value, { source }) as unknown as GenEvalMetadata;
  const wrong = asked.include.findIndex(({ position }, i) => position !== undefined && position[1] >= i);
  if (wrong >= 0) throw fileError(source, `has a position in include ${wrong} that refers to a later entry`);
  return asked;
}
