import { expect, test } from 'vitest';
import { didYouMean, didYouMeanHint } from './did-you-mean.ts';

const names = ['steps', 'learningRate', 'reduction', 'seed'];

test.each([
  ['setps', 'steps'], // swapped
  ['step', 'steps'], // left out
  ['stepss', 'steps'], // doubled
  ['stebs', 'steps'], // mistyped
  ['LEARNING-RATE', 'learningRate'], // another case convention
  ['learning_rtae', 'learningRate'],
])('%s is near %s', (name, expected) => {
  expect(didYouMean(name, names)).toBe(expected);
});

test.each(['x', '', 'st', 'temperature', 'eeds'.repeat(1000)])('%.12s is near nothing', (name) => {
  expect(didYouMean(name, names)).toBeUndefined();
  expect(didYouMeanHint(name, names)).toBe('');
});

test('the nearest wins, the first of equals', () => {
  expect(didYouMean('abcx', ['abcyz', 'abcd', 'abce'])).toBe('abcd');
  expect(didYouMeanHint('abcx', ['abcd'])).toBe(' Did you mean "abcd"?');
});
