/** The expected metadata are rows of GenEval and GenEval++ with the world's names for theirs. */
import { describe, expect, test } from 'vitest';
import * as wording from './wording.ts';

describe('the prompts of GenEval', () => {
  test('have its wording and its metadata', () => {
    expect(wording.singleObject('circle')).toEqual({
      tag: 'single_object',
      include: [{ class: 'circle', count: 1 }],
      prompt: 'a photo of a circle',
    });
    expect(wording.twoObject('circle', 'star')).toEqual({
      tag: 'two_object',
      include: [
        { class: 'circle', count: 1 },
        { class: 'star', count: 1 },
      ],
      prompt: 'a photo of a circle and a star',
    });
    expect(wording.counting(2, 'cross')).toEqual({
      tag: 'counting',
      include: [{ class: 'cross', count: 2 }],
      exclude: [{ class: 'cross', count: 3 }],
      prompt: 'a photo of two crosses',
    });
    expect(wording.colors({ color: 'orange', shape: 'heart' })).toEqual({
      tag: 'colors',
      include: [{ class: 'heart', count: 1, color: 'orange' }],
      prompt: 'a photo of an orange heart',
    });
    expect(wording.position('moon', 'right of', 'heart')).toEqual({
      tag: 'position',
      include: [
        { class: 'heart', count: 1 },
        { class: 'moon', count: 1, position: ['right of', 0] },
      ],
      prompt: 'a photo of a moon right of a heart',
    });
    expect(wording.colorAttr({ color: 'purple', shape: 'circle' }, { color: 'black', shape: 'square' })).toEqual({
      tag: 'color_attr',
      include: [
        { class: 'circle', count: 1, color: 'purple' },
        { class: 'square', count: 1, color: 'black' },
      ],
      prompt: 'a photo of a purple circle and a black square',
    });
  });
});

describe('the prompts of GenEval++', () => {
  test('have its wording and its metadata, with exact counts', () => {
    expect(
      wording.colorCount({ count: 3, color: 'pink', shape: 'moon' }, { count: 1, color: 'green', shape: 'cross' }),
    ).toEqual({
      tag: 'color_count',
      include: [
        { class: 'moon', count: 3, color: 'pink' },
        { class: 'cross', count: 1, color: 'green' },
      ],
      exclude: [
        { class: 'moon', count: 4 },
        { class: 'cross', count: 2 },
      ],
      prompt: 'a photo of three pink moons and one green cross',
    });
    expect(
      wording.colorPos(
        { color: 'blue', shape: 'star', region: 'left' },
        { color: 'red', shape: 'ring', region: 'right' },
      ),
    ).toEqual({
      tag: 'color_pos',
      include: [
        { class: 'star', count: 1, color: 'blue', region: 'left' },
        { class: 'ring', count: 1, color: 'red', region: 'right' },
      ],
      prompt: 'a photo of blue star on the left and red ring on the right',
    });
    expect(
      wording.posCount({ count: 2, shape: 'star', region: 'above' }, { count: 1, shape: 'ring', region: 'below' }),
    ).toMatchObject({ tag: 'pos_count', prompt: 'a photo of two stars on the above and one ring on the below' });
    expect(
      wording.posSize(
        { size: 'larger', shape: 'star', region: 'above' },
        { size: 'smaller', shape: 'ring', region: 'below' },
      ),
    ).toEqual({
      tag: 'pos_size',
      include: [
        { class: 'star', count: 1, size: 'larger', region: 'above' },
        { class: 'ring', count: 1, size: 'smaller', region: 'below' },
      ],
      prompt: 'a photo of a larger star on the above and a smaller ring on the below',
    });
    const groups = [
      { count: 1, shape: 'star' },
      { count: 2, shape: 'ring' },
      { count: 1, shape: 'moon' },
    ] as const;
    expect(wording.multiCount(groups.slice(0, 2)).prompt).toBe('a photo of one star and two rings');
    expect(wording.multiCount(groups)).toEqual({
      tag: 'multi_count',
      include: [
        { class: 'star', count: 1 },
        { class: 'ring', count: 2 },
        { class: 'moon', count: 1 },
      ],
      exclude: [
        { class: 'star', count: 2 },
        { class: 'ring', count: 3 },
        { class: 'moon', count: 2 },
      ],
      prompt: 'a photo of one star, two rings, and one moon',
    });
  });
});
