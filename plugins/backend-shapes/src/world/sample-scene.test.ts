import { randomStream } from '@gvu/core';
import { describe, expect, test } from 'vitest';
import { createCatalogue } from './catalogue.ts';
import { sceneDetections } from './detector.ts';
import { judge } from './judge.ts';
import { categories, type PromptMetadata } from './metadata.ts';
import { sampleScene } from './sample-scene.ts';
import { boxOf, type Scene } from './scene.ts';
import * as wording from './wording.ts';
import { cellSide, defineWorld, gridSide, imageSide, sizePixels } from './world.ts';

const seed = 20261123;
const world = defineWorld();
const catalogue = createCatalogue(world);
const scenes = randomStream(seed, 'sample scene test');

/** `count` scenes of prompts of every category in turn. */
function sampled(count: number): { metadata: PromptMetadata; scene: Scene }[] {
  return Array.from({ length: count }, (_, i) => {
    const category = categories[i % categories.length] ?? 'colors';
    const entries = [...catalogue.select(category, 'train'), ...catalogue.select(category, 'held-out')];
    const { metadata } = entries[(i * 7919) % entries.length] ?? { metadata: wording.singleObject('circle') };
    return { metadata, scene: sampleScene(world, metadata, { address: scenes.at(0, i) }) };
  });
}

/** How often each value occurs. */
function tally<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

describe(`sampleScene (seed ${seed})`, () => {
  const samples = sampled(2200);

  test('shows what the prompt asks for, judged by its own rules, and no other object', () => {
    for (const { metadata, scene } of samples) {
      expect(judge(metadata, sceneDetections(scene)).reasons, metadata.prompt).toEqual([]);
      expect(scene.length).toBe(metadata.include.reduce((sum, { count }) => sum + count, 0));
    }
  });

  test('keeps objects within the image and in cells of their own', () => {
    for (const { scene } of samples) {
      const boxes = scene.map(boxOf);
      for (const [i, box] of boxes.entries()) {
        expect(Math.min(box.x, box.y)).toBeGreaterThanOrEqual(0);
        expect(Math.max(box.x + box.width, box.y + box.height)).toBeLessThanOrEqual(imageSide);
        for (const other of boxes.slice(i + 1)) {
          const across = Math.max(box.x - other.x - other.width, other.x - box.x - box.width);
          const down = Math.max(box.y - other.y - other.height, other.y - box.y - box.height);
          expect(Math.max(across, down)).toBeGreaterThanOrEqual(cellSide - sizePixels.large);
        }
      }
    }
  });

  test('is a pure function of the address', () => {
    const metadata = wording.counting(4, 'moon');
    const at = (i: number): Scene => sampleScene(world, metadata, { address: scenes.at(1, i) });
    expect(at(0)).toEqual(at(0));
    expect(at(0)).not.toEqual(at(1));
  });

  test('varies evenly what the prompt leaves open', () => {
    const singles = Array.from({ length: 3600 }, (_, i) =>
      sampleScene(world, wording.singleObject('heart'), { address: scenes.at(2, i) }),
    ).flat();
    const colors = tally(singles.map(({ color }) => color));
    expect([...colors.keys()].sort()).toEqual([...world.colors].sort());
    for (const count of colors.values()) expect(Math.abs(count - 600)).toBeLessThan(4.5 * Math.sqrt(500));
    const large = singles.filter(({ size }) => size === 'large');
    expect(Math.abs(large.length - 2700)).toBeLessThan(4.5 * Math.sqrt(3600 * 0.25 * 0.75));
    const cells = tally(large.map(({ column, row }) => `${column} ${row}`));
    expect(cells.size).toBe(gridSide ** 2);
    const expected = large.length / gridSide ** 2;
    const freedom = gridSide ** 2 - 1;
    const chiSquare = [...cells.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(chiSquare).toBeLessThan(freedom + 4.5 * Math.sqrt(2 * freedom));
  });

  test('colours objects of the same class independently of each other', () => {
    const pairs = Array.from({ length: 1200 }, (_, i) =>
      sampleScene(world, wording.counting(2, 'cross'), { address: scenes.at(3, i) }),
    );
    const equal = pairs.filter(([first, second]) => first?.color === second?.color).length;
    expect(Math.abs(equal - 200)).toBeLessThan(4.5 * Math.sqrt(1200 * (1 / 6) * (5 / 6)));
  });

  test('draws only small objects in a world that wants it, and only large ones where it does not', () => {
    for (const [smallShare, size] of [
      [0, 'large'],
      [1, 'small'],
    ] as const) {
      const scene = sampleScene(defineWorld({ smallShare }), wording.counting(4, 'heart'), { address: scenes.at(4) });
      expect(scene.map((object) => object.size)).toEqual([size, size, size, size]);
    }
  });

  test('leaves out pairs of colour and shape', () => {
    const withoutPairs = world.colors.slice(1).map((color) => ({ color, shape: 'moon' as const }));
    const metadata = wording.twoObject('moon', 'cross');
    const objects = Array.from({ length: 100 }, (_, i) =>
      sampleScene(world, metadata, { address: scenes.at(5, i), withoutPairs }),
    ).flat();
    expect(tally(objects.filter(({ shape }) => shape === 'moon').map(({ color }) => color))).toEqual(
      new Map([['red', 100]]),
    );
    expect(tally(objects.filter(({ shape }) => shape === 'cross').map(({ color }) => color)).size).toBe(6);
  });

  test('refuses what cannot be drawn', () => {
    const address = scenes.at(6);
    const ten = { ...wording.counting(4, 'circle'), include: [{ class: 'circle' as const, count: 10 }] };
    expect(() => sampleScene(world, ten, { address })).toThrow('GVU_SHAPES_SCENE');
    const contradiction: PromptMetadata = {
      tag: 'position',
      include: [
        { class: 'circle', count: 1, region: 'right' },
        { class: 'square', count: 1, region: 'left', position: ['right of', 0] },
      ],
      prompt: 'a square that is left and right',
    };
    expect(() => sampleScene(world, contradiction, { address })).toThrow('a square that is left and right');
    const withoutPairs = world.colors.map((color) => ({ color, shape: 'moon' as const }));
    expect(() => sampleScene(world, wording.singleObject('moon'), { address, withoutPairs })).toThrow(
      'GVU_SHAPES_CHOICE',
    );
  });
});
