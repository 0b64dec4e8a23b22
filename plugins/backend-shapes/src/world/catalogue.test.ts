import { describe, expect, test } from 'vitest';
import { createCatalogue } from './catalogue.ts';
import { meaningOf } from './meaning.ts';
import { categories } from './metadata.ts';
import type { Split } from './split.ts';
import * as wording from './wording.ts';
import { defineWorld } from './world.ts';

const world = defineWorld();
const catalogue = createCatalogue(world);

function meanings(split: Split): Set<string> {
  return new Set(catalogue.entries.filter((entry) => entry.split === split).map(({ meaning }) => meaning));
}

describe('the catalogue of the default world', () => {
  test('has these numbers of prompts, and in brackets of different meanings', () => {
    const table = categories.map((category) => {
      const numbers = (['train', 'held-out'] as const).map((split) => {
        const entries = catalogue.select(category, split);
        return `${entries.length} (${new Set(entries.map(({ meaning }) => meaning)).size})`;
      });
      return [category, ...numbers];
    });
    expect(table).toEqual([
      ['single_object', '3 (3)', '3 (3)'],
      ['two_object', '18 (9)', '12 (6)'],
      ['counting', '12 (12)', '6 (6)'],
      ['colors', '29 (29)', '7 (7)'],
      ['position', '96 (48)', '24 (12)'],
      ['color_attr', '720 (360)', '180 (90)'],
      ['color_count', '3600 (1800)', '900 (450)'],
      ['color_pos', '2880 (1440)', '720 (360)'],
      ['pos_count', '384 (192)', '96 (48)'],
      ['pos_size', '96 (96)', '24 (24)'],
      ['multi_count', '512 (124)', '118 (31)'],
    ]);
  });

  test('has no prompt twice', () => {
    const texts = catalogue.entries.map(({ metadata }) => metadata.prompt);
    expect(new Set(texts).size).toBe(texts.length);
  });

  test('holds out meanings, never only wordings', () => {
    const train = meanings('train');
    expect([...meanings('held-out')].filter((meaning) => train.has(meaning))).toEqual([]);
    for (const { metadata, meaning } of catalogue.entries) expect(meaningOf(metadata)).toBe(meaning);
  });

  test('keeps every word of a held-out prompt in training', () => {
    const words = (split: Split): Set<string> =>
      new Set(
        catalogue.entries
          .filter((entry) => entry.split === split)
          .flatMap(({ metadata }) => metadata.prompt.split(/[ ,]+/)),
      );
    const trained = words('train');
    expect([...words('held-out')].filter((word) => !trained.has(word))).toEqual([]);
  });

  test('holds out evenly: every shape, colour and number in each category that names them', () => {
    for (const category of categories) {
      const entries = [...catalogue.select(category, 'train'), ...catalogue.select(category, 'held-out')];
      const words = [...new Set(entries.flatMap(({ meaning }) => meaning.split(/[ ,]+/)))];
      const uses = (split: Split, word: string): number =>
        catalogue.select(category, split).filter(({ meaning }) => meaning.split(/[ ,]+/).includes(word)).length;
      for (const word of words) {
        // Single objects have six meanings for six words: half of them cannot be held out.
        if (category === 'single_object' && word !== 'one') continue;
        expect(uses('held-out', word), `${word} in ${category}`).toBeGreaterThan(0);
        expect(uses('train', word), `${word} in ${category}`).toBeGreaterThan(0);
      }
    }
  });

  test('makes the same split every time', () => {
    const heldOut = (all: typeof catalogue) =>
      all.select('counting', 'held-out').map(({ metadata }) => metadata.prompt);
    expect(heldOut(createCatalogue(world))).toEqual(heldOut(catalogue));
    expect(heldOut(catalogue)).toMatchInlineSnapshot(`
      [
        "a photo of two hearts",
        "a photo of two moons",
        "a photo of three triangles",
        "a photo of three crosses",
        "a photo of four circles",
        "a photo of four squares",
      ]
    `);
  });

  test('keeps a category that others do not touch as it is when shapes are added to the world', () => {
    // Ranks by hash are over each category: more colours change the split of colours, not that of counting.
    const more = createCatalogue(
      defineWorld({ colors: ['red', 'yellow', 'green', 'blue', 'pink', 'black', 'purple'] }),
    );
    expect(more.select('counting', 'held-out')).toEqual(catalogue.select('counting', 'held-out'));
  });

  test('finds prompts however they are written, and says so when there is none', () => {
    expect(catalogue.find('  A photo of a RED   circle. ').metadata).toEqual(
      wording.colors({ color: 'red', shape: 'circle' }),
    );
    expect(catalogue.has('a photo of one star, two rings and one moon')).toBe(false);
    expect(() => catalogue.find('a photo of a dog')).toThrow('GVU_SHAPES_PROMPT: "a photo of a dog"');
  });
});

describe('meanings', () => {
  const red = { color: 'red', shape: 'circle' } as const;
  const blue = { color: 'blue', shape: 'square' } as const;

  test('are equal for the same thing in other words', () => {
    expect(meaningOf(wording.position('moon', 'right of', 'heart'))).toBe(
      meaningOf(wording.position('heart', 'left of', 'moon')),
    );
    expect(meaningOf(wording.position('moon', 'below', 'heart'))).toBe(
      meaningOf(wording.position('heart', 'above', 'moon')),
    );
    expect(meaningOf(wording.colorAttr(red, blue))).toBe(meaningOf(wording.colorAttr(blue, red)));
    expect(meaningOf(wording.colorPos({ ...red, region: 'left' }, { ...blue, region: 'right' }))).toBe(
      meaningOf(wording.colorPos({ ...blue, region: 'right' }, { ...red, region: 'left' })),
    );
  });

  test('differ for different things in the same words', () => {
    const swapped = [{ color: 'blue', shape: 'circle' } as const, { color: 'red', shape: 'square' } as const] as const;
    expect(meaningOf(wording.colorAttr(red, blue))).not.toBe(meaningOf(wording.colorAttr(...swapped)));
    expect(meaningOf(wording.position('moon', 'above', 'heart'))).not.toBe(
      meaningOf(wording.position('heart', 'above', 'moon')),
    );
    expect(meaningOf(wording.twoObject('circle', 'square'))).not.toBe(
      meaningOf(
        wording.multiCount([
          { count: 1, shape: 'circle' },
          { count: 1, shape: 'square' },
        ]),
      ),
    );
  });
});

describe('the options of a catalogue', () => {
  test('hold out a share of each category', () => {
    const half = createCatalogue(world, { heldOutShare: 0.5, heldOutLeast: 0 });
    expect(half.select('position', 'held-out')).toHaveLength(60);
    const none = createCatalogue(world, { heldOutShare: 0, heldOutLeast: 0 });
    expect(none.entries.filter(({ split }) => split !== 'train')).toEqual([]);
    const least = createCatalogue(world, { heldOutShare: 0, heldOutLeast: 100 });
    expect(least.select('two_object', 'held-out')).toHaveLength(14);
    expect(least.select('color_attr', 'held-out')).toHaveLength(200);
  });

  test('keep pairs of colour and shape out of training and of the held-out prompts', () => {
    const { entries, unseenPairs } = createCatalogue(world, { unseenPairs: 6 });
    expect(unseenPairs).toHaveLength(6);
    expect(new Set(unseenPairs.map(({ color }) => color)).size).toBe(6);
    expect(new Set(unseenPairs.map(({ shape }) => shape)).size).toBe(6);
    for (const { metadata, split } of entries) {
      const isUnseen = metadata.include.some((entry) =>
        unseenPairs.some(({ color, shape }) => entry.color === color && entry.class === shape),
      );
      expect(split === 'unseen-pair').toBe(isUnseen);
    }
    expect(createCatalogue(world, { unseenPairs: 8 }).unseenPairs.slice(0, 6)).toEqual(unseenPairs);
  });

  test('are all checked at once', () => {
    const create = () => createCatalogue(world, { heldOutShare: 0.7, heldOutLeast: -1, unseenPairs: 40 });
    for (const key of ['/heldOutShare', '/heldOutLeast', '/unseenPairs']) expect(create).toThrow(key);
  });
});
