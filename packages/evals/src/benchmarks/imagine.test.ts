import { expect, test } from 'vitest';
import { answerer, batches, drawn, signal } from '../../test/benchmark-parts.ts';
import { imagineBench, imagineScore, parsePoints } from './imagine.ts';

test.each([
  [{ fantasy: 10, identity: 10, aesthetic: 10 }, 1],
  [{ fantasy: 10, identity: 2, aesthetic: 5 }, 0.26],
  [{ fantasy: 0, identity: 10, aesthetic: 10 }, 0.2],
])('%j is worth %d', (points, expected) => {
  expect(imagineScore(points)).toBeCloseTo(expected, 12);
});

test.each([
  ['{"fantasy": 8, "identity": 7, "aesthetic": 6}', { fantasy: 8, identity: 7, aesthetic: 6 }],
  ['```\n{"fantasy": 8, "identity": 7, "aesthetic": 6}```', { fantasy: 8, identity: 7, aesthetic: 6 }],
  ['{"fantasy": 11, "identity": 7, "aesthetic": 6}', null],
  ['{"fantasy": 8, "identity": 7}', null],
  ['eight', null],
  [null, null],
])('points of %j', (text, expected) => {
  expect(parsePoints(text)).toEqual(expected);
});

test('a reply without points leaves its prompt without a score', async () => {
  const benchmark = await imagineBench({});
  const [first, second] = benchmark.items;
  if (!first || !second) throw new Error('no items');
  const judge = answerer((brightness) =>
    brightness === 0 ? '{"fantasy": 5, "identity": 10, "aesthetic": 10}' : 'nice',
  );
  const images = batches([...drawn(first, 2), ...drawn(second, 1, 1)]);
  const { items, unscored } = await benchmark.score(images, { judge, mode: 'official', signal });
  expect(items).toEqual([{ id: '1', tag: 'COLOR', value: 0.6 }]);
  expect(unscored).toEqual([{ id: '2', why: 'no points in the reply of the judge' }]);
});
