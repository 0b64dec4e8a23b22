import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anls, chosenOption, contains, editDistance, matchesExactly, parseYesNo } from './matching.ts';

const seed = 20_260_713;

test.each([
  ['Yes', 'yes', 'yes'],
  ['yes, there is a dog', 'yes', 'yes'],
  ['No', 'no', 'no'],
  ['No, there is none', 'no', 'no'],
  ['There is not a dog', 'no', 'no'],
  ['no.', 'no', 'no'],
  // Only the first sentence counts officially.
  ['I see a cat. There is no dog', 'yes', 'no'],
  // Defect silent-yes.
  ['', 'yes', null],
  ['NO', 'yes', 'no'],
  ['No!', 'yes', 'no'],
  ['maybe', 'yes', null],
  ['nothing', 'yes', null],
  ['yes and no', 'no', null],
])('POPE: %j is officially %j, fixed %j', (answer, official, fixed) => {
  expect([parseYesNo(answer, 'official'), parseYesNo(answer, 'fixed')]).toEqual([official, fixed]);
});

describe('ANLS', () => {
  test.each([
    ['invoice', ['invoice'], 1],
    ['  INVOICE ', ['invoice'], 1],
    ['invoce', ['invoice', 'bill'], 1 - 1 / 7],
    // Exactly half is kept, less is nothing.
    ['ab', ['abcd'], 0.5],
    ['ab', ['abcde'], 0],
    ['', ['abc'], 0],
    ['é', ['é'], 1],
  ])('%j against %j', (answer, references, expected) => {
    expect(anls(answer, references, 'fixed')).toBeCloseTo(expected, 12);
  });

  test('officially blanks make a wrong answer better', () => {
    expect(anls('ab', ['abcde'], 'official')).toBe(0);
    expect(anls(`ab${' '.repeat(20)}`, ['abcde'], 'official')).toBeCloseTo(1 - 3 / 22, 12);
    expect(anls(`ab${' '.repeat(20)}`, ['abcde'], 'fixed')).toBe(0);
  });

  test(`the edit distance is a metric, and at most the longer length (seed ${seed})`, () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'ü', '𝒳'), maxLength: 7 });
    fc.assert(
      fc.property(word, word, word, (a, b, c) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, a)).toBe(0);
        expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c));
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max([...a].length, [...b].length));
        expect(editDistance(a, b)).toBeGreaterThanOrEqual(Math.abs([...a].length - [...b].length));
      }),
      { seed, numRuns: 300 },
    );
    expect(editDistance('kitten', 'sitting')).toBe(3);
  });
});

test.each([
  ['The word is CENTRE.', ['centre'], false, true, true],
  ['line one\nline two', ['one line'], false, true, true],
  ['312', ['12'], false, true, false],
  ['12.', ['12'], false, true, true],
  ['$ 12', ['$'], false, true, true],
  ['x + y', ['x+y'], true, true, true],
  ['X+Y', ['x+y'], true, false, false],
  ['x + y', ['x+y'], false, false, false],
])('OCRBench: %j holds %j (formula %j): officially %j, fixed %j', (answer, references, formula, official, fixed) => {
  expect(contains(answer, references, { formula, mode: 'official' })).toBe(official);
  expect(contains(answer, references, { formula, mode: 'fixed' })).toBe(fixed);
});

test.each([
  [' Yes ', 'yes', true, true],
  ['yes.', 'yes', false, true],
  ['the dog', 'dog', false, true],
  ['two', '2', false, true],
  ['1,000', '1000', false, true],
  ['0.5', '5', false, false],
  ['cat', 'dog', false, false],
])('GQA: %j is %j: officially %j, fixed %j', (answer, reference, official, fixed) => {
  expect(matchesExactly(answer, reference, 'official')).toBe(official);
  expect(matchesExactly(answer, reference, 'fixed')).toBe(fixed);
});

const options = { A: 'a red cube', B: 'a blue ball', C: 'grass', D: 'glass' };
test.each([
  ['B', 'B', 'B'],
  ['(C)', 'C', 'C'],
  ['The answer is D.', 'D', 'D'],
  ['A blue ball', 'A', 'B'], // defect article-a
  ['A. a red cube', 'A', 'A'],
  ['A', 'A', 'A'],
  ['it is grass', 'C', 'C'],
  ['B or C', null, null],
  ['b', null, null],
  ['', null, null],
  [`grass ${'and much more '.repeat(20)}`, null, null],
])('multiple choice: %j is officially %j, fixed %j', (answer, official, fixed) => {
  expect(chosenOption(answer, options, 'official')).toBe(official);
  expect(chosenOption(answer, options, 'fixed')).toBe(fixed);
});
