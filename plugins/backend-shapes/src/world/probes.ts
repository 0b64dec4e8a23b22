/**
 * Tests of reading: which prompt belongs to an image, made from scenes and judged by their metadata.
 *
 * Every wrong prompt of a test is judged wrong for its scene, so each test has one right answer. A swap changes numbers,
 * colours or places and nothing else; where the grammar allows it, it exchanges two words of the right prompt, so that a
 * reader who only knows which words occur can do no better than guess.
 */
import { randomStream } from '@gvu/core';
import type { Catalogue } from './catalogue.ts';
import { sceneDetections } from './detector.ts';
import { type Draws, drawsFrom } from './draws.ts';
import { judge } from './judge.ts';
import { type Category, categories, type PromptMetadata } from './metadata.ts';
import { askAbout, type Question } from './questions.ts';
import { sampleScene } from './sample-scene.ts';
import type { Scene } from './scene.ts';
import type { CatalogueEntry, Split } from './split.ts';
import type { World } from './world.ts';

export interface RetrievalProbe {
  readonly scene: Scene;
  readonly category: Category;
  /** Eight prompts, of which one is true. */
  readonly prompts: readonly string[];
  /** The index of the true one. */
  readonly answer: number;
}

export const swapKinds = ['count', 'color', 'position'] as const;
export type SwapKind = (typeof swapKinds)[number];

export interface SwapProbe {
  readonly scene: Scene;
  readonly category: Category;
  readonly kind: SwapKind;
  readonly right: string;
  readonly wrong: string;
  /** Both prompts consist of the same words. */
  readonly isExchange: boolean;
}

export interface QuestionProbe extends Question {
  readonly scene: Scene;
}

export interface Probes {
  /** Test number `index`, 0 or more: always the same for the same seed. */
  retrieval(index: number): RetrievalProbe;
  swap(kind: SwapKind, index: number): SwapProbe;
  question(index: number): QuestionProbe;
}

const retrievalSize = 8;

const swapCategories: Record<SwapKind, readonly Category[]> = {
  count: ['counting', 'color_count', 'pos_count', 'multi_count'],
  color: ['colors', 'color_attr', 'color_count', 'color_pos'],
  position: ['position', 'color_pos', 'pos_count', 'pos_size'],
};

/** The tests of a seed, with right prompts of one split; categories take turns. */
export function createProbes(
  world: World,
  catalogue: Catalogue,
  { seed, split }: { seed: number; split: Split },
): Probes {
  const stream = (name: string) => randomStream(seed, `shapes/probes/${name}`);
  const swaps = new Map(swapKinds.map((kind) => [kind, swapGroups(catalogue, kind)]));
  const byCategory = new Map(
    categories.map((category) => [category, catalogue.entries.filter(({ metadata }) => metadata.tag === category)]),
  );
  const sceneFor = (entry: CatalogueEntry, name: string, index: number): Scene =>
    sampleScene(world, entry.metadata, { address: stream(`${name}/scene`).at(index) });
  const entryOf = (from: readonly Category[], index: number, draws: Draws): CatalogueEntry =>
    draws.pick(catalogue.select(draws.pick(from.slice(index % from.length).slice(0, 1)), split));
  return {
    retrieval(index) {
      const draws = drawsFrom(stream('retrieval').at(index));
      const entry = entryOf(categories, index, draws);
      const scene = sceneFor(entry, 'retrieval', index);
      const answer = draws.below(retrievalSize);
      const prompts = wrongPrompts({
        scene,
        from: [byCategory.get(entry.metadata.tag) ?? [], catalogue.entries],
        draws,
      });
      return {
        scene,
        category: entry.metadata.tag,
        prompts: prompts.toSpliced(answer, 0, entry.metadata.prompt),
        answer,
      };
    },
    swap(kind, index) {
      const draws = drawsFrom(stream(`swap/${kind}`).at(index));
      const { metadata } = entryOf(swapCategories[kind], index, draws);
      const scene = sampleScene(world, metadata, { address: stream(`swap/${kind}/scene`).at(index) });
      const group = swaps.get(kind)?.get(withoutWords(metadata, kind)) ?? [];
      const wrong = group.filter((other) => isWrong(other, scene));
      const exchanges = wrong.filter((other) => sameWords(other.prompt, metadata.prompt));
      const chosen = draws.pick(exchanges.length > 0 ? exchanges : wrong);
      return {
        scene,
        category: metadata.tag,
        kind,
        right: metadata.prompt,
        wrong: chosen.prompt,
        isExchange: exchanges.length > 0,
      };
    },
    question(index) {
      const draws = drawsFrom(stream('question').at(index));
      const scene = sceneFor(entryOf(categories, index, draws), 'question', index);
      return { scene, ...askAbout(world, scene, stream('question/asked').at(index)) };
    },
  };
}

/** Prompts that are wrong for a scene, from the first list as long as it has any, then from the second. */
function wrongPrompts({
  scene,
  from,
  draws,
}: {
  scene: Scene;
  from: readonly [readonly CatalogueEntry[], readonly CatalogueEntry[]];
  draws: Draws;
}): string[] {
  const found = new Set<string>();
  const count = retrievalSize - 1;
  // A small category may have fewer wrong prompts than are wanted.
  const triesInFirst = 20 * count;
  for (let attempt = 0; found.size < count; attempt++) {
    const { metadata } = draws.pick(attempt < triesInFirst ? from[0] : from[1]);
    if (isWrong(metadata, scene)) found.add(metadata.prompt);
  }
  return [...found];
}

function isWrong(metadata: PromptMetadata, scene: Scene): boolean {
  return !judge(metadata, sceneDetections(scene)).correct;
}

/** Prompts by what is left of them without numbers, colours or places. */
function swapGroups(catalogue: Catalogue, kind: SwapKind): Map<string, PromptMetadata[]> {
  const groups = new Map<string, PromptMetadata[]>();
  for (const { metadata } of catalogue.entries) {
    if (!swapCategories[kind].includes(metadata.tag)) continue;
    const key = withoutWords(metadata, kind);
    const group = groups.get(key);
    if (group) group.push(metadata);
    else groups.set(key, [metadata]);
  }
  return groups;
}

function withoutWords({ tag, include }: PromptMetadata, kind: SwapKind): string {
  const rest = include.map(({ class: shape, count, color, position, region, size }) => [
    shape,
    size,
    kind === 'count' ? '' : count,
    kind === 'color' ? '' : color,
    ...(kind === 'position' ? [] : [position, region]),
  ]);
  return JSON.stringify([tag, rest]);
}

function sameWords(first: string, second: string): boolean {
  const sorted = (text: string): string => text.split(' ').sort().join(' ');
  return sorted(first) === sorted(second);
}
