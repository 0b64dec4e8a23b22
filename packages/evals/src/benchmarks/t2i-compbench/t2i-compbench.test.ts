import { describe, expect, test } from 'vitest';
import { batches, drawn, image, seen, signal } from '../../../test/benchmark-parts.ts';
import type { BenchmarkItem } from '../benchmark.ts';
import type { Judge } from '../judge.ts';
import { counts, nounPhrases, spatialClaim } from './phrases.ts';
import { numeracyScore, spatialScore } from './rules.ts';
import { t2iCompBench } from './t2i-compbench.ts';

test.each([
  ['a green bench and a blue bowl', ['a green bench', 'a blue bowl']],
  ['The soft pillow was on top of the hard rocking chair.', ['The soft pillow', 'the hard rocking chair']],
  ['a bee on the right of a refrigerator', ['a bee', 'a refrigerator']],
  ['   ', []],
])('the things of %j', (prompt, expected) => {
  expect(nounPhrases(prompt)).toEqual(expected);
});

test.each([
  ['a bee on the right of a refrigerator', { object: 'bee', locality: 'on the right of', target: 'refrigerator' }],
  ['a girl on the top of a frog', { object: 'person', locality: 'on the top of', target: 'frog' }],
  ['a mouse on side of a key', { object: 'mouse', locality: 'on side of', target: 'key' }],
  ['a cat behind a boy', null],
])('the place in %j', (prompt, expected) => {
  expect(spatialClaim(prompt)).toEqual(expected);
});

test.each([
  [
    'two toys and three refrigerators',
    [
      ['toy', 2],
      ['refrigerator', 3],
    ],
  ],
  [
    'one stool and seven women',
    [
      ['stool', 1],
      ['person', 7],
    ],
  ],
  ['three mice', [['mouse', 3]]],
  ['a dog', []],
])('the numbers in %j', (prompt, expected) => {
  expect(counts(prompt).map(({ object, count }) => [object, count])).toEqual(expected);
});

test('every official prompt of places and numbers is understood', async () => {
  const { items } = await t2iCompBench({ categories: ['spatial', 'numeracy'] });
  const lost = items.filter(({ tag, prompt }) =>
    tag === 'spatial' ? !spatialClaim(prompt) : counts(prompt).length === 0,
  );
  expect(lost.map(({ prompt }) => prompt)).toEqual([]);
});

describe('places', () => {
  const claim = (locality: 'near' | 'on the right of' | 'on the left of' | 'on top of' | 'on the top of') => {
    return { object: 'bee', locality, target: 'cup' };
  };
  const score = (
    locality: Parameters<typeof claim>[0],
    bee: readonly [number, number],
    mode: 'official' | 'fixed' = 'official',
  ) => spatialScore(claim(locality), [seen('bee', 1, bee), seen('cup', 0.8, [300, 300])], { mode, width: 512 });

  test('a quarter for each thing by its confidence, half for the place', () => {
    expect(score('on the right of', [400, 310])).toBeCloseTo(0.95, 12);
    expect(score('on the left of', [400, 310])).toBe(0); // 0.45 is below 0.5
    expect(score('on the right of', [400, 420])).toBe(0); // more below than right
    expect(spatialScore(claim('near'), [seen('bee', 1)], { mode: 'official', width: 512 })).toBe(0);
    expect(spatialScore(claim('near'), [], { mode: 'official', width: 512 })).toBe(0);
  });

  test('overlapping things are worth less', () => {
    // 10 x 10 boxes, 4 apart: 60 of 140 shared.
    expect(score('on the right of', [304, 300])).toBeCloseTo(0.45 + 0.5 * (0.1 / (60 / 140)), 12);
  });

  test('defects: near on one axis is near; "on top of" never holds', () => {
    expect(score('near', [300, 900])).toBeCloseTo(0.95, 12);
    expect(score('near', [300, 900], 'fixed')).toBeCloseTo(0.45 + 0.5 * (150 / 600), 12);
    expect(score('on top of', [300, 100])).toBe(0);
    expect(score('on top of', [300, 100], 'fixed')).toBeCloseTo(0.95, 12);
    expect(score('on the top of', [300, 100])).toBeCloseTo(0.95, 12);
  });

  test('near is a part of the width in the fixed mode', () => {
    const two = [seen('bee', 1, [0, 0]), seen('cup', 1, [100, 100])];
    const at = (mode: 'official' | 'fixed', width: number) => spatialScore(claim('near'), two, { mode, width });
    expect([at('official', 128), at('fixed', 128), at('fixed', 512)]).toEqual([1, 0.5 + 0.5 * (37.5 / 100), 1]);
  });
});

test('numbers: half for being there, half for the number; the same thing twice counts once', () => {
  const asked = counts('two dogs and three cups');
  const dog = (x: number) => seen('dog', 0.9, [x, 0]);
  const cup = (x: number) => seen('cup', 0.9, [x, 0]);
  expect(numeracyScore(asked, [dog(0), dog(50), cup(0), cup(50), cup(100)])).toBe(1);
  expect(numeracyScore(asked, [dog(0), dog(50), cup(0), cup(50)])).toBe(0.75);
  expect(numeracyScore(asked, [dog(0), dog(0.1), cup(0), cup(50), cup(100)])).toBe(0.75);
  expect(numeracyScore(asked, [])).toBe(0);
});

test('each category by what the judge can do; file names hold prompt and number', async () => {
  const benchmark = await t2iCompBench({ categories: ['color', 'non_spatial', '3d_spatial'] });
  const first = (tag: string) => benchmark.items.find((item) => item.tag === tag) as BenchmarkItem;
  const judge: Judge = {
    name: 'vqa',
    version: '1',
    async probability(questions) {
      return questions.map(({ question }) => (question.includes('bench') ? 0.5 : 0.8));
    },
  };
  expect(first('color').prompt).toBe('a green bench and a blue bowl');
  const images = batches(...['color', 'non_spatial', '3d_spatial'].map((tag) => drawn(first(tag), 2)));
  const { items, unscored } = await benchmark.score(images, { judge, mode: 'official', signal });
  expect(items).toEqual([{ id: 'color/0', tag: 'color', value: 0.4 }]);
  expect(unscored).toEqual([
    { id: 'non_spatial/0', why: 'the judge cannot compare image and text' },
    { id: '3d_spatial/0', why: 'the depth of images is not judged here' },
  ]);
  const second = benchmark.items[1] as BenchmarkItem;
  expect(benchmark.layout(second, [image(), image()]).map(({ path }) => path)).toEqual([
    'color/samples/a blue bench and a green bowl_000002.png',
    'color/samples/a blue bench and a green bowl_000003.png',
  ]);
});
