import { expect, test } from 'vitest';
import { tokenLine } from './token-line.ts';

const trace = { tokens: ['a', 'red\n', 'circle'], logProbs: [0, Math.log(0.5), Number.NEGATIVE_INFINITY] };

test('without colours, the probabilities stand below their tokens', () => {
  expect(tokenLine(trace, { width: 80, color: false, live: false })).toBe('a     red   circle\n1.000 0.500 0.000');
});

test('long prompts are broken to the width', () => {
  const lines = tokenLine(trace, { width: 13, color: false, live: false }).split('\n');
  expect(lines).toEqual(['a     red', '1.000 0.500', '', 'circle', '0.000']);
});

test('with colours, the ground of a token is its probability', () => {
  const [words = ''] = tokenLine(trace, { width: 80, color: true, live: true }).split('\n');
  const grounds = [...words.matchAll(/48;2;(\d+);(\d+)/g)].map(([, red, green]) => [Number(red), Number(green)]);
  expect(grounds).toEqual([
    [0, 120],
    [150, 120],
    [150, 0],
  ]);
});
