/**
 * DPG-Bench: long prompts, four images of each in one 2 × 2 grid, judged by a VQA model that answers a question for each proposition.
 *
 * Source: TencentQQGYLab/ELLA @ 3c228f1, whose judge is mPLUG-large. The table of questions is the user's to bring. Not replicated: under
 * several processes the official script gathers categories in the order of an unordered set, which may mix them up.
 */
import type { JsonValue } from '@gvu/core';
import type { Pixels } from '@gvu/models';
import type { BenchmarkItem, DrawnImage, GenerationBenchmark, ItemScore, ScoreOptions, Scores } from '../benchmark.ts';
import { fingerprint, readText } from '../files.ts';
import { requireAbility } from '../judge.ts';
import { grid } from './grid.ts';
import { type DpgItem, itemsFor, readDpgItems } from './questions.ts';
import { isYes, scoreItem } from './score.ts';

export interface DpgOptions {
  /** The official dpg_bench.csv. */
  readonly path: string;
}

const defects = [
  { id: 'first-row', what: 'The first row of the table is passed over: the first item lacks a proposition.' },
  { id: 'dropped-items', what: 'Items that fail are left out of the mean without a word.' },
  { id: 'row-order', what: 'A proposition falls with its parent only if the rows stand in the right order.' },
  { id: 'exact-yes', what: 'Only the answer "yes", in lower case and without a full stop, is a yes.' },
  { id: 'categories-last-image', what: 'Categories are scored from the last of the images alone.' },
  { id: 'categories-before-zeroing', what: 'Categories count propositions whose parents do not hold.' },
] as const;

/** Rejects with GVU_BENCHMARK_FILE. */
export async function dpgBench({ path }: DpgOptions): Promise<GenerationBenchmark> {
  const source = await readDpgItems(path);
  const items = source.map(({ id, prompt }): BenchmarkItem => ({ id, tag: 'all', prompt, metadata: null }));
  return {
    kind: 'generation',
    name: 'dpg-bench',
    version: `1+${fingerprint([await readText(path)])}`,
    source: 'TencentQQGYLab/ELLA @ 3c228f1',
    defects,
    overall: 'items',
    items,
    imagesPerPrompt: 4,
    abilities: ['answer'],
    layout: (item, images) => [{ path: `${item.id}.png`, content: grid(images) }],
    score: (batches, options) => score(source, batches, options),
  };
}

async function score(
  source: readonly DpgItem[],
  batches: AsyncIterable<readonly DrawnImage[]>,
  { judge, mode, signal }: ScoreOptions,
): Promise<Scores> {
  const reader = requireAbility(judge, { ability: 'answer', benchmark: 'dpg-bench' });
  const byId = new Map(itemsFor(source, mode).map((item) => [item.id, item]));
  const items: ItemScore[] = [];
  const secondary: ItemScore[] = [];
  const unscored: { id: string; why: string }[] = [];
  const records: JsonValue[] = [];
  for await (const [id, pictures] of drawnItems(batches)) {
    const item = byId.get(id);
    if (!item) continue;
    const questions = pictures.flatMap((pixels) => item.propositions.map(({ question }) => ({ pixels, question })));
    const answers = await reader.answer(questions, { signal });
    // Of a judge that fails, officially nothing is heard but that the item is missing from the mean.
    const failed = answers.filter((text) => text === null).length;
    const width = item.propositions.length;
    const yes = pictures.map((_, i) => answers.slice(i * width, (i + 1) * width).map((text) => isYes(text, mode)));
    const scored = failed > 0 ? `the judge failed on ${failed} questions` : scoreItem(item, yes, mode);
    if (typeof scored === 'string') {
      unscored.push({ id: item.id, why: scored });
      continue;
    }
    items.push({ id: item.id, tag: 'all', value: scored.value });
    for (const [i, { category, value }] of scored.byCategory.entries()) {
      const id = `${item.id}/${item.propositions[i]?.id ?? i}`;
      const levels = new Set([(category.split('-')[0] ?? '').trim(), category]);
      for (const tag of levels) secondary.push({ id, tag, cluster: item.id, value });
    }
    records.push({ item: item.id, images: scored.images, score: scored.value, answers: [...answers] });
  }
  return { items, secondary, unscored, records };
}

/** The pictures of each item. */
async function* drawnItems(
  batches: AsyncIterable<readonly DrawnImage[]>,
): AsyncGenerator<readonly [id: string, pictures: readonly Pixels[]]> {
  for await (const images of batches) {
    const drawn = new Map<string, Pixels[]>();
    for (const { item, pixels } of images) drawn.set(item.id, [...(drawn.get(item.id) ?? []), pixels]);
    yield* drawn;
  }
}
