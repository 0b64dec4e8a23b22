import { expect, test } from 'vitest';
import { answerer, batches, detector, drawn, image, seen, signal } from '../../../test/benchmark-parts.ts';
import { genEvalItems } from '../geneval/metadata.ts';
import { checklist, parseReply } from './checklist.ts';
import { genEvalPlus, genEvalPlusOf } from './geneval-pp.ts';

const row = {
  tag: 'color_count',
  include: [
    { class: 'boat', count: 3, color: 'white', region: 'left' },
    { class: 'hot dog', count: 1, size: 'smaller', position: ['above', 0] },
  ],
  exclude: [{ class: 'boat', count: 4 }],
  prompt: 'A photo of three white boats and one hot dog',
};
const items = genEvalItems(
  Array.from({ length: 3 }, () => ({ value: row, raw: JSON.stringify(row) })),
  'rows',
);
const benchmark = genEvalPlusOf({ name: 'small', source: 'test', items });

test('has the official prompts, 40 of each tag, and the layout of one file a prompt', async () => {
  const official = await genEvalPlus({});
  const tags = new Map<string, number>();
  for (const { tag } of official.items) tags.set(tag, (tags.get(tag) ?? 0) + 1);
  expect([...tags.values()]).toEqual([40, 40, 40, 40, 40, 40, 40]);
  const [first] = official.items;
  if (!first) throw new Error('no items');
  expect(official.layout(first, [image()]).map(({ path }) => path)).toEqual(['0.png']);
});

test('asks for every expectation, and for exclusions as the most that may be', () => {
  const [item] = items;
  if (!item) throw new Error('no items');
  expect(checklist(item.asked).split('\n').slice(2)).toEqual([
    '- 3 of: boat, colour white, in the left half of the picture',
    '- 1 of: hot dog, smaller than the other object, above the objects of requirement 1',
    '- no more than 3 of: boat',
  ]);
});

test.each([
  ['{"correct": 1, "reason": "all there"}', { correct: true, reason: 'all there' }],
  ['```json\n{"correct": 0, "reason": "two boats"}\n```', { correct: false, reason: 'two boats' }],
  ['Here: {"correct": "1"}', { correct: true, reason: '' }],
  ['{"correct": 2}', null],
  ['{"reason": "no"}', null],
  ['correct', null],
  ['{"correct": 1', null],
  ['', null],
  [null, null],
])('the reply %j', (text, expected) => {
  expect(parseReply(text)).toEqual(expected);
});

test('a judge that fails makes an image wrong officially, and is left out in the fixed mode', async () => {
  const replies = ['{"correct": 1}', '{"correct": 0}', null];
  const judge = answerer((brightness) => replies[brightness] ?? null);
  const images = items.flatMap((item, i) => drawn(item, 1, i));
  const official = await benchmark.score(batches(images), { judge, mode: 'official', signal });
  expect(official.items.map(({ value }) => value)).toEqual([1, 0, 0]);
  expect(official.unscored).toEqual([]);
  expect(official.records.map((record) => (record as { correct: number }).correct)).toEqual([1, 0, -1]);
  const fixed = await benchmark.score(batches(images), { judge, mode: 'fixed', signal });
  expect(fixed.items.map(({ id, value }) => [id, value])).toEqual([
    ['0', 1],
    ['1', 0],
  ]);
  expect(fixed.unscored).toEqual([{ id: '2', why: 'the judge failed on 1 images' }]);
});

test('a detector judges by the rules, with counts, colours, halves and sizes', async () => {
  const boat = (x: number) => ({ ...seen('boat', 0.4, [x, 60]), color: 'white' });
  const dog = seen('hot dog', 0.9, [7, 10]);
  const side = 20; // of the image; boats in its left half
  const boats = [boat(6), boat(7), boat(8)];
  const judge = detector([
    [...boats, dog],
    [...boats, boat(9), dog],
    [...boats.slice(1), dog],
  ]);
  const images = items.map((item, i) => ({ item, sample: 0, pixels: image(i, side) }));
  const { items: scores, records } = await benchmark.score(batches(images), { judge, mode: 'official', signal });
  expect(scores.map(({ value }) => value)).toEqual([1, 0, 0]);
  expect(records[1]).toMatchObject({ correct: 0, reason: 'expected boat<4, found 4' });
});
