import { describe, expect, test } from 'vitest';
import { batches, drawn, image, seen, signal } from '../../../test/benchmark-parts.ts';
import type { BenchmarkItem } from '../benchmark.ts';
import { dataFile, readText, textLines } from '../files.ts';
import type { Judge } from '../judge.ts';
import {
  className,
  countable,
  counts,
  depthLocalities,
  nounPhrases,
  planeLocalities,
  spatialClaim,
} from './phrases.ts';
import { depthScore, frameScale, inFrame, numeracyScore, spatialScore } from './rules.ts';
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
  ['a girl on the top of a frog', { object: 'girl', locality: 'on the top of', target: 'frog' }],
  ['a mouse on side of a key', { object: 'mouse', locality: 'on side of', target: 'key' }],
  ['a cat behind a boy', null],
])('the place in %j', (prompt, expected) => {
  expect(spatialClaim(prompt, planeLocalities)).toEqual(expected);
});

test('the place in depth', () => {
  expect(spatialClaim('a key hidden by a dog', depthLocalities)).toEqual({
    object: 'key',
    locality: 'hidden by',
    target: 'dog',
  });
});

const objects = countable(textLines(await readText(dataFile('t2i-compbench/new_objects.txt'))).map(({ text }) => text));

test.each([
  ['two toys and three refrigerators', { toy: 2, refrigerator: 3 }],
  ['one stool and seven women', { stool: 1, woman: 7 }],
  ['three mice', { mouse: 3 }],
  ['four deer and two tomatoes', { deer: 4, tomato: 2 }],
  // "a" is a number too, but only of things on the list.
  ['two guitars, a helicopter, and a balloon sang a lively tune', { guitar: 2, helicopter: 1, balloon: 1 }],
  ['a tune', {}],
])('the numbers in %j', (prompt, expected) => {
  expect(Object.fromEntries(counts(prompt, objects).map(({ object, count }) => [object, count]))).toEqual(expected);
});

test('names of things: officially a television is never a tv, and a ship a boat in counting alone', () => {
  const names = (mode: 'official' | 'fixed', counting: boolean) =>
    ['girl', 'ship', 'television', 'cup'].map((noun) => className(noun, { mode, counting }));
  expect(names('official', false)).toEqual(['person', 'ship', 'television', 'cup']);
  expect(names('official', true)).toEqual(['person', 'boat', 'television', 'cup']);
  expect(names('fixed', false)).toEqual(['person', 'boat', 'tv', 'cup']);
});

test('every official prompt of places and numbers is understood', async () => {
  const { items } = await t2iCompBench({ categories: ['spatial', 'numeracy', '3d_spatial'] });
  const lost = items.filter(({ tag, prompt }) => {
    if (tag === 'numeracy') return counts(prompt, objects).length === 0;
    return !(tag === 'spatial' ? spatialClaim(prompt, planeLocalities) : spatialClaim(prompt, depthLocalities));
  });
  expect(lost.map(({ prompt }) => prompt)).toEqual([]);
});

test('detections as UniDet has them: the confident ones, best first, in an image of 479', () => {
  expect(frameScale({ width: 958, height: 958 })).toBe(0.5);
  expect(frameScale({ width: 96, height: 192 })).toBe(2.5); // the longer side would exceed 480
  const found = inFrame([seen('cup', 0.6, [10, 20]), seen('cup', 0.5), seen('bee', 0.9)], 2);
  expect(found.map(({ class: name, confidence }) => [name, confidence])).toEqual([
    ['bee', 0.9],
    ['cup', 0.6],
  ]);
  expect(found[1]?.box).toEqual({ left: 10, top: 30, right: 30, bottom: 50 });
});

describe('places', () => {
  const claim = (locality: 'near' | 'on the right of' | 'on the left of' | 'on top of' | 'on the top of') => {
    return { object: 'bee', locality, target: 'cup' };
  };
  const score = (
    locality: Parameters<typeof claim>[0],
    bee: readonly [number, number],
    mode: 'official' | 'fixed' = 'official',
  ) => spatialScore(claim(locality), [seen('bee', 1, bee), seen('cup', 0.8, [300, 300])], mode);

  test('a quarter for each thing by its confidence, half for the place', () => {
    expect(score('on the right of', [400, 310])).toBeCloseTo(0.95, 12);
    expect(score('on the left of', [400, 310])).toBe(0); // 0.45 is below 0.5
    expect(score('on the right of', [400, 420])).toBe(0); // more below than right
    expect(spatialScore(claim('near'), [seen('bee', 1)], 'official')).toBe(0);
    expect(spatialScore(claim('near'), [], 'official')).toBe(0);
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

  test('one person for two, but not in the fixed mode', () => {
    const two = { object: 'person', locality: 'near', target: 'person' } as const;
    const [one, other] = [seen('person', 0.9, [100, 100]), seen('person', 0.8, [100, 200])];
    expect(spatialScore(two, [one], 'official')).toBeCloseTo(0.45 + 0.5, 12);
    expect(spatialScore(two, [one], 'fixed')).toBe(0);
    expect(spatialScore(two, [one, other], 'fixed')).toBeCloseTo(0.425 + 0.5, 12);
  });
});

describe('places in depth', () => {
  const claim = { object: 'bee', locality: 'in front of', target: 'cup' } as const;
  const behind = { ...claim, locality: 'behind' } as const;
  // Boxes of side 10; 5 apart, they share 50 of 150.
  const seenAt = (x: number) => [seen('bee', 1, [100, 50]), seen('cup', 0.6, [100 + x, 50])];
  /** The nearer, the further left: the bee is in front of a cup on its right. */
  const nearness = (x: number) => 1000 - x;

  test('a quarter for each thing, half for the order if boxes overlap by half, and less by less', () => {
    const score = (asked: typeof claim | typeof behind, x: number, mode: 'official' | 'fixed' = 'fixed') =>
      depthScore(asked, seenAt(x), { mode, nearness });
    expect(score(claim, 2)).toBeCloseTo(0.4 + 0.5, 12); // 80 of 120
    expect(score(claim, 5)).toBeCloseTo(0.4 + 0.5 * (1 / 3 / 0.5), 12);
    expect(score(claim, 20)).toBeCloseTo(0.4, 12);
    expect(score(behind, 2)).toBeCloseTo(0.4, 12);
    expect(score(behind, -2)).toBeCloseTo(0.9, 12);
    // Nothing here is below a half and so nothing, as in the plane.
    expect(depthScore(claim, [seen('bee', 0.6)], { mode: 'official', nearness })).toBeCloseTo(0.15, 12);
    expect(depthScore(claim, [], { mode: 'official', nearness })).toBe(0);
  });

  test('defects: columns for rows, half an overlap, and a thing that is not the best', () => {
    // Mirrored, depth falls from the top: both boxes have the same rows, and none is in front.
    expect(depthScore(claim, seenAt(2), { mode: 'official', nearness })).toBeCloseTo(0.4, 12);
    const mirrored = (_: number, y: number) => 1000 - y;
    expect(depthScore(claim, seenAt(2), { mode: 'official', nearness: mirrored })).toBeCloseTo(0.9, 12);
    // 10 x 10 within 10 x 20.
    const within = [
      seen('bee', 1, [100, 50]),
      { ...seen('cup', 1), box: { left: 95, top: 45, right: 115, bottom: 55 } },
    ];
    expect(depthScore(claim, within, { mode: 'fixed', nearness })).toBeCloseTo(1, 12);
    expect(depthScore(claim, within, { mode: 'official', nearness: mirrored })).toBeCloseTo(0.5, 12);
    const bees = [seen('bee', 0.9, [100, 50]), seen('bee', 0.7, [300, 50]), seen('cup', 0.6, [102, 50])];
    expect(depthScore(claim, bees, { mode: 'fixed', nearness })).toBeCloseTo(0.375 + 0.5, 12);
    expect(depthScore(claim, bees, { mode: 'official', nearness: mirrored })).toBeCloseTo(0.325, 12);
  });
});

test('numbers: half for being there, half for the number; the same thing twice counts once', () => {
  const asked = counts('two dogs and three cups', objects);
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
    { id: '3d_spatial/0', why: 'the judge cannot detect objects' },
  ]);
  const second = benchmark.items[1] as BenchmarkItem;
  expect(benchmark.layout(second, [image(), image()]).map(({ path }) => path)).toEqual([
    'color/samples/a blue bench and a green bowl_000002.png',
    'color/samples/a blue bench and a green bowl_000003.png',
  ]);
});

/** Knows all of it: detections and depth of one scene, half a chance of every thing, a cosine of 0.3. */
function everything(side: number): Judge {
  const nearness = Float32Array.from({ length: 16 * 16 }, (_, i) => -(i % 16) - 16 * Math.floor(i / 16));
  const scale = side / 479;
  const scaled = (name: string, [x, y]: readonly [number, number]) => {
    const half = 40 * scale;
    const box = { left: x * scale - half, top: y * scale - half, right: x * scale + half, bottom: y * scale + half };
    return { class: name, confidence: 0.8, box };
  };
  return {
    name: 'everything',
    version: '1',
    detect: async (images) =>
      images.map(({ classes }) => classes.map((name, i) => scaled(name, [150 + 20 * i, 150 + 20 * i]))),
    depth: async (images) => images.map(() => ({ width: 16, height: 16, nearness })),
    probability: async (questions) => questions.map(() => 0.5),
    similarity: async (pairs) => pairs.map(() => 0.3),
  };
}

test('scores do not depend on the size of the image; a map of depth may have another', async () => {
  const benchmark = await t2iCompBench({ categories: ['spatial', 'numeracy', '3d_spatial'] });
  const first = benchmark.items.filter(({ id }) => id.endsWith('/0'));
  const scoresAt = async (side: number) => {
    const images = batches(first.map((item) => ({ item, sample: 0, pixels: image(0, side) })));
    const { items } = await benchmark.score(images, { judge: everything(side), mode: 'fixed', signal });
    return Object.fromEntries(items.map(({ tag, value }) => [tag, value]));
  };
  const [small, large] = [await scoresAt(64), await scoresAt(958)];
  for (const tag of Object.keys(large)) expect(small[tag]).toBeCloseTo(large[tag] ?? Number.NaN, 9);
  // "a dog in front of a desk": 60 x 60 of 80 x 80 are shared, and the first one is nearer.
  expect(large['3d_spatial']).toBeCloseTo(0.4 + Math.min(0.5, 3600 / (12800 - 3600)), 9);
});

test('complex prompts by the parts that the official lists say', async () => {
  const benchmark = await t2iCompBench({ categories: ['complex'] });
  const scoreOf = async (start: string) => {
    const item = benchmark.items.find(({ prompt }) => prompt.startsWith(start)) as BenchmarkItem;
    const nothing: Judge = { ...everything(479), detect: async (images) => images.map(() => []) };
    const { items } = await benchmark.score(batches(drawn(item, 1)), { judge: nothing, mode: 'official', signal });
    return items[0]?.value;
  };
  // Two things with a chance of a half each; nothing is found of the place.
  expect(await scoreOf('The red hat was on top of the brown coat rack')).toBeCloseTo((0.25 + 0) / 2, 12);
  expect(await scoreOf('The black phone was resting on the brown charger')).toBeCloseTo((0.25 + 0.3) / 2, 12);
});
