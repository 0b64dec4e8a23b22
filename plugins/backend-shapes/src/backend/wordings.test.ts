import { expect, it } from 'vitest';
import { createCatalogue, createVocabulary, defineWorld, detectObjects, judge } from '../world/index.ts';
import { toPlanes } from './planes.ts';
import { shapesWordings, withoutWords } from './wordings.ts';

const world = defineWorld();

it.each([
  ['count', 'a photo of two red circles and one blue moon', 'a photo of red circles and blue moon'],
  ['count', 'a photo of two circles, one moon, and one heart', 'a photo of circles, moon, and heart'],
  ['color', 'a photo of an orange circle', 'a photo of a circle'],
  [
    'color',
    'a photo of red circle on the left and blue moon on the right',
    'a photo of circle on the left and moon on the right',
  ],
  ['position', 'a photo of red circle on the above and blue moon on the below', 'a photo of red circle and blue moon'],
  ['position', 'a photo of a circle left of a moon', 'a photo of a circle left of a moon'],
] as const)('leaves out words of %s: %s', (kind, prompt, expected) => {
  expect(withoutWords({ colors: ['red', 'blue', 'orange'] }, kind, prompt)).toBe(expected);
});

it('lists as many of each kind as asked: true, shorter, and false of the image', () => {
  const catalogue = createCatalogue(world);
  const vocabulary = createVocabulary(world);
  const list = shapesWordings(world).list({ seed: 3, tests: 40 });
  expect(list.map(({ kind }) => kind)).toEqual(['count', 'color', 'region'].flatMap((kind) => Array(40).fill(kind)));
  for (const { pixels, full, removed, replaced } of list) {
    const seen = detectObjects(world, toPlanes(pixels));
    expect(judge(catalogue.find(full).metadata, seen).correct, full).toBe(true);
    expect(judge(catalogue.find(replaced).metadata, seen).correct, replaced).toBe(false);
    expect(vocabulary.encode(removed).length).toBeLessThan(vocabulary.encode(full).length);
    expect(vocabulary.encode(replaced).length).toBe(vocabulary.encode(full).length);
  }
  expect(shapesWordings(world).list({ seed: 3, tests: 2 })[1]).toEqual(list[1]);
});
