import { describe, expect, test } from 'vitest';
import { grammar } from './grammar.ts';
import { questionTexts } from './questions.ts';
import { createVocabulary, describeInstruction } from './vocabulary.ts';
import { defineWorld } from './world.ts';

const world = defineWorld();
const vocabulary = createVocabulary(world);

describe('the vocabulary', () => {
  test('has these words', () => {
    const words = Array.from({ length: vocabulary.size }, (_, token) => vocabulary.decode([token]));
    expect(words.join(' ').trim()).toMatchInlineSnapshot(
      `", ? a above and are below black blue circle circles color cross crosses describe detail four green heart hearts how image in is larger left many moon moons no of on one or photo pink red right shape smaller square squares than the there three triangle triangles two what yellow yes"`,
    );
    expect(words.slice(0, 3)).toEqual(['', '', '']);
    expect([vocabulary.pad, vocabulary.begin, vocabulary.end]).toEqual([0, 1, 2]);
  });

  test('gives back every prompt, question and instruction as it was', () => {
    for (const text of [describeInstruction, ...grammar(world).map(({ prompt }) => prompt), ...questionTexts(world)]) {
      expect(vocabulary.decode(vocabulary.encode(text))).toBe(text);
    }
  });

  test('takes at most 16 tokens for a prompt', () => {
    const lengths = grammar(world).map(({ prompt }) => vocabulary.encode(prompt).length);
    expect(Math.max(...lengths)).toBe(16);
    expect(Math.min(...lengths)).toBe(5);
  });

  test('does not mind case and spaces, and knows punctuation', () => {
    expect(vocabulary.encode(' One  MOON, and ')).toEqual(vocabulary.encode('one moon , and'));
    expect(vocabulary.encode('')).toEqual([]);
    expect(vocabulary.decode([1, ...vocabulary.encode('one moon, and'), 2, 0])).toBe('one moon, and');
  });

  test('names every unknown word, and takes no special token from text', () => {
    expect(() => vocabulary.encode('a phto of a <pad> dog')).toThrow(/GVU_SHAPES_WORD.*"phto", "<pad>", "dog".*photo/);
    expect(() => vocabulary.encode('a, toString')).toThrow('"tostring"');
    for (const token of [-1, vocabulary.size, 0.5, Number.NaN]) {
      expect(() => vocabulary.decode([token])).toThrow('GVU_SHAPES_WORD');
    }
  });
});
