/**
 * Every prompt of a world, with its split.
 *
 * The grammar is small enough to write down in full (about 10,000 prompts for six shapes and six colours), so that
 * looking a prompt up, splitting and choosing need no parser.
 */
import { defineConfig } from '@gvu/core';
import { shapesErrors } from '../errors.ts';
import { grammar } from './grammar.ts';
import { normalized } from './meaning.ts';
import type { Category } from './metadata.ts';
import { type CatalogueEntry, chooseUnseenPairs, type Split, type SplitOptions, splitPrompts } from './split.ts';
import type { Colored } from './wording.ts';
import type { World } from './world.ts';

export interface CatalogueOptions extends SplitOptions {
  /** Pairs of colour and shape that appear in no training prompt. */
  readonly unseenPairs: number;
}

export interface Catalogue {
  readonly entries: readonly CatalogueEntry[];
  readonly unseenPairs: readonly Colored[];
  /**
   * The entry of a prompt; case, spaces and punctuation do not matter.
   * @throws GVU_SHAPES_PROMPT when the grammar has no such prompt.
   */
  find(prompt: string): CatalogueEntry;
  has(prompt: string): boolean;
  /** The entries of a category and a split. */
  select(category: Category, split: Split): readonly CatalogueEntry[];
}

const config = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    heldOutShare: { type: 'number', minimum: 0, maximum: 0.5, default: 0.2 },
    heldOutLeast: { type: 'integer', minimum: 0, default: 6 },
    unseenPairs: { type: 'integer', minimum: 0, maximum: 16, default: 0 },
  },
});

/**
 * Without options, a fifth of each category is held out, and at least six meanings or half of all.
 * @throws GVU_CONFIG_INVALID with every problem.
 */
export function createCatalogue(world: World, options: Partial<CatalogueOptions> = {}): Catalogue {
  const settings = config.parse(options, { source: 'The catalogue of prompts' });
  const unseenPairs = chooseUnseenPairs(world, settings.unseenPairs);
  const entries = splitPrompts(grammar(world), unseenPairs, settings);
  const byText = new Map(entries.map((entry) => [normalized(entry.metadata.prompt), entry]));
  const selections = new Map<string, CatalogueEntry[]>();
  for (const entry of entries) {
    const key = `${entry.metadata.tag} ${entry.split}`;
    const selection = selections.get(key);
    if (selection) selection.push(entry);
    else selections.set(key, [entry]);
  }
  return {
    entries,
    unseenPairs,
    find(prompt) {
      const entry = byText.get(normalized(prompt));
      if (entry) return entry;
      throw shapesErrors.error('GVU_SHAPES_PROMPT', `${JSON.stringify(prompt)} is no prompt of this world.`, {
        hint: `Write, for example, ${JSON.stringify(entries[0]?.metadata.prompt)}; shapes: ${world.shapes.join(', ')}.`,
      });
    },
    has: (prompt) => byText.has(normalized(prompt)),
    select: (category, split) => selections.get(`${category} ${split}`) ?? [],
  };
}
