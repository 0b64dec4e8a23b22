/**
 * Which prompts are held out: chosen by SHA-256, by meaning and within each category, spread evenly over the words.
 *
 * By meaning, because "a circle and a square" and "a square and a circle", or "left of" and "right of" with the objects
 * exchanged, must stand on the same side. Evenly, because a hash alone would leave the small categories with held-out
 * prompts of two objects and of four, but of three none.
 */
import { createHash } from 'node:crypto';
import { meaningOf } from './meaning.ts';
import type { Category, PromptMetadata } from './metadata.ts';
import type { Colored } from './wording.ts';
import type { World } from './world.ts';

/**
 * `train` prompts may be learned from, `held-out` prompts are for tests, and so are those with an `unseen-pair` of colour
 * and shape, of which there are none unless the options ask for them.
 */
export type Split = 'train' | 'held-out' | 'unseen-pair';

/** A prompt of a world. */
export interface CatalogueEntry {
  readonly metadata: PromptMetadata;
  /** The same for prompts that ask for the same thing. */
  readonly meaning: string;
  readonly split: Split;
}

export interface SplitOptions {
  /** Share of each category's meanings that is held out. */
  readonly heldOutShare: number;
  /** Meanings that a category holds out at least, but never more than half of them. */
  readonly heldOutLeast: number;
}

/** The prompts with their splits, in the same order. */
export function splitPrompts(
  prompts: readonly PromptMetadata[],
  unseenPairs: readonly Colored[],
  { heldOutShare, heldOutLeast }: SplitOptions,
): CatalogueEntry[] {
  const meanings = prompts.map(meaningOf);
  const isUnseen = prompts.map(({ include }) =>
    unseenPairs.some((pair) => include.some(({ class: shape, color }) => color === pair.color && shape === pair.shape)),
  );
  const byCategory = new Map<Category, Set<string>>();
  prompts.forEach(({ tag }, i) => {
    if (isUnseen[i]) return;
    byCategory.set(tag, (byCategory.get(tag) ?? new Set()).add(meanings[i] ?? ''));
  });
  const heldOut = new Set<string>();
  for (const distinct of byCategory.values()) {
    const wanted = Math.max(Math.round(heldOutShare * distinct.size), heldOutLeast);
    for (const meaning of chooseEvenly([...distinct], Math.min(wanted, Math.floor(distinct.size / 2)))) {
      heldOut.add(meaning);
    }
  }
  return prompts.map((metadata, i) => {
    const meaning = meanings[i] ?? '';
    return { metadata, meaning, split: isUnseen[i] ? 'unseen-pair' : heldOut.has(meaning) ? 'held-out' : 'train' };
  });
}

/**
 * Pairs of colour and shape to keep out of training: in the order of their hashes, but first of all those whose colour and
 * shape were taken least.
 */
export function chooseUnseenPairs({ shapes, colors }: World, count: number): Colored[] {
  const all = byHash(
    shapes.flatMap((shape) => colors.map((color) => ({ color, shape }))),
    ({ color, shape }) => `${color} ${shape}`,
  );
  const chosen: Colored[] = [];
  const timesTaken = (pair: Colored): number =>
    chosen.filter(({ color, shape }) => color === pair.color || shape === pair.shape).length;
  while (chosen.length < count) {
    const [next] = all.filter((pair) => !chosen.includes(pair)).sort((a, b) => timesTaken(a) - timesTaken(b));
    if (!next) break;
    chosen.push(next);
  }
  return chosen;
}

/** `count` of the texts by their hashes: first those that leave no word more often than its share, then any. */
function chooseEvenly(texts: readonly string[], count: number): string[] {
  const words = (text: string): Set<string> => new Set(text.split(/[ ,]+/));
  const uses = new Map<string, number>();
  for (const word of texts.flatMap((text) => [...words(text)])) uses.set(word, (uses.get(word) ?? 0) + 1);
  const left = new Map([...uses].map(([word, times]) => [word, Math.ceil((times * count) / texts.length)]));
  const ordered = byHash(texts, (text) => text);
  const even = ordered.filter((text) => {
    const used = [...words(text)];
    if (used.some((word) => !left.get(word))) return false;
    for (const word of used) left.set(word, (left.get(word) ?? 0) - 1);
    return true;
  });
  return [...new Set([...even, ...ordered])].slice(0, count);
}

function byHash<T>(items: readonly T[], name: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, hash: createHash('sha256').update(name(item)).digest('hex') }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
    .map(({ item }) => item);
}
