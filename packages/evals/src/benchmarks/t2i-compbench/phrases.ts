/**
 * What the prompts of T2I-CompBench speak of. The official scripts parse them with spaCy; here short lists of words do, which finds the
 * same in the templated prompts ("a green bench and a blue bowl", "a bee on the right of a refrigerator") and may differ in free
 * sentences.
 */

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

export const localities = [
  'on side of',
  'next to',
  'near',
  'on the left of',
  'on the right of',
  'on the bottom of',
  'on the top of',
  'on top of',
] as const;
export type Locality = (typeof localities)[number];

export interface SpatialClaim {
  readonly object: string;
  readonly locality: Locality;
  readonly target: string;
}

/** Which thing is where; null when the prompt names no such place. */
export function spatialClaim(prompt: string): SpatialClaim | null {
  for (const locality of localities) {
    const at = prompt.indexOf(` ${locality} `);
    if (at < 0) continue;
    const object = head(nounPhrases(prompt.slice(0, at)).at(-1));
    const target = head(nounPhrases(prompt.slice(at + locality.length + 2))[0]);
    if (object !== '' && target !== '') return { object, locality, target };
  }
  return null;
}

const numbers = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'];

/** How many of what: "two toys and three refrigerators". */
export function counts(prompt: string): readonly { readonly object: string; readonly count: number }[] {
  const words = prompt.toLowerCase().match(/[a-z]+/g) ?? [];
  return words.flatMap((word, i) => {
    const count = numbers.indexOf(word) + 1;
    const noun = words[i + 1];
    return count === 0 || noun === undefined ? [] : [{ object: className(count === 1 ? noun : singular(noun)), count }];
  });
}

const people = new Set(['girl', 'boy', 'man', 'woman']);
const otherNames: Readonly<Record<string, string>> = {
  ship: 'boat',
  television: 'tv',
  goldfish: 'fish',
  painting: 'picture',
};

/** The name by which a detector knows a thing. */
export function className(noun: string): string {
  return people.has(noun) ? 'person' : (otherNames[noun] ?? noun);
}

const irregular: Readonly<Record<string, string>> = {
  men: 'man',
  women: 'woman',
  people: 'person',
  mice: 'mouse',
  knives: 'knife',
  butterflies: 'butterfly',
  strawberries: 'strawberry',
  couches: 'couch',
  peaches: 'peach',
};

function singular(noun: string): string {
  return irregular[noun] ?? (noun.endsWith('s') && !noun.endsWith('ss') ? noun.slice(0, -1) : noun);
}

/** A phrase without its article, as a class of a detector. */
function head(phrase: string | undefined): string {
  return className((phrase ?? '').replace(/^(a|an|the)\s+/i, '').toLowerCase());
}
