/**
 * What the prompts of T2I-CompBench speak of. The official scripts parse them with spaCy; here short lists of words do, which finds the
 * same in the templated prompts ("a green bench and a blue bowl", "a bee on the right of a refrigerator") and may differ in free
 * sentences.
 */

import type { Mode } from '../benchmark.ts';

/** Where a phrase ends, besides punctuation. */
const between = new Set(
  'and or with on in at of to by from under over above below beneath behind near beside between into onto inside through while as is are was were be being that which who next against among around across along for has had have sits sat sitting stands stood standing hanging hung lying lay resting rested placed'.split(
    ' ',
  ),
);
/** Phrases that are no things. */
const places = new Set([
  'top',
  'the top',
  'side',
  'the side',
  'the left',
  'the right',
  'the bottom',
  'the middle',
  'front',
]);

/** At most as many as the official script asks about. */
const maxPhrases = 8;

/** The things of a sentence with what describes them: "a green bench", "a blue bowl". */
export function nounPhrases(prompt: string): readonly string[] {
  const phrases: string[] = [];
  for (const clause of prompt.trim().split(/[,.;:!?]+/)) {
    let words: string[] = [];
    for (const word of [...clause.trim().split(/\s+/), 'and']) {
      if (!between.has(word.toLowerCase())) {
        words.push(word);
        continue;
      }
      const phrase = words.join(' ').trim();
      words = [];
      if (phrase !== '' && !places.has(phrase.toLowerCase())) phrases.push(phrase);
    }
  }
  return phrases.slice(0, maxPhrases);
}

export const planeLocalities = [
  'on side of',
  'next to',
  'near',
  'on the left of',
  'on the right of',
  'on the bottom of',
  'on the top of',
  'on top of',
] as const;
export type Locality = (typeof planeLocalities)[number];

export interface SpatialClaim<L extends string = Locality> {
  readonly object: string;
  readonly locality: L;
  readonly target: string;
}

/** Which thing is where; null when the prompt names no such place. */
export function spatialClaim<L extends string>(prompt: string, localities: readonly L[]): SpatialClaim<L> | null {
  for (const locality of localities) {
    const at = prompt.indexOf(` ${locality} `);
    if (at < 0) continue;
    const object = head(nounPhrases(prompt.slice(0, at)).at(-1));
    const target = head(nounPhrases(prompt.slice(at + locality.length + 2))[0]);
    if (object !== '' && target !== '') return { object, locality, target };
  }
  return null;
}

/** In front or behind, with a depth map. */
export const depthLocalities = ['in front of', 'behind', 'hidden by'] as const;
export type DepthLocality = (typeof depthLocalities)[number];

/** What is counted: the official list of things, each with its plural. */
export interface Countable {
  readonly singulars: ReadonlySet<string>;
  readonly singularOf: ReadonlyMap<string, string>;
}

/** Of the lines of new_objects.txt: `cup - cups`. */
export function countable(lines: readonly string[]): Countable {
  const pairs = lines.map((line) => {
    const [singular = '', plural = ''] = line.toLowerCase().split(' - ');
    return [plural.trim(), singular.trim()] as const;
  });
  return { singulars: new Set(pairs.map(([, singular]) => singular)), singularOf: new Map(pairs) };
}

const one = new Set(['a', 'an', 'one']);
const numbers = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'];

/** How many of what: "two toys and a refrigerator". Names of two words are looked for first. */
export function counts(
  prompt: string,
  { singulars, singularOf }: Countable,
): readonly { readonly object: string; readonly count: number }[] {
  const words = prompt.toLowerCase().match(/[a-z]+/g) ?? [];
  return words.flatMap((word, i) => {
    const count = one.has(word) ? 1 : numbers.indexOf(word) + 1;
    if (count === 0) return [];
    const nouns = [words.slice(i + 1, i + 3).join(' '), words[i + 1] ?? ''];
    const found = nouns.flatMap((noun) => (count === 1 && singulars.has(noun) ? noun : (singularOf.get(noun) ?? [])));
    return found.slice(0, 1).map((object) => ({ object, count }));
  });
}

const people = new Set(['girl', 'boy', 'man', 'woman']);
const otherNames: Readonly<Record<string, string>> = { ship: 'boat', goldfish: 'fish', painting: 'picture' };

/**
 * The name by which a detector knows a thing. Defect other-names: officially other names than people's are known in counting alone, and
 * that of the television is misspelt.
 */
export function className(noun: string, { mode, counting }: { mode: Mode; counting: boolean }): string {
  if (people.has(noun)) return 'person';
  if (noun === 'television' && mode === 'fixed') return 'tv';
  return counting || mode === 'fixed' ? (otherNames[noun] ?? noun) : noun;
}

/** A phrase without its article, as a class of a detector. */
function head(phrase: string | undefined): string {
  return (phrase ?? '').replace(/^(a|an|the)\s+/i, '').toLowerCase();
}
