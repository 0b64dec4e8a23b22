import { randomStream } from '@gvu/core';
import { describe, expect, test } from 'vitest';
import { createCatalogue } from './catalogue.ts';
import { describeScene, truePrompts } from './describe.ts';
import { sceneDetections } from './detector.ts';
import { judge } from './judge.ts';
import { meaningOf } from './meaning.ts';
import { sampleScene } from './sample-scene.ts';
import type { Scene, SceneObject } from './scene.ts';
import { defineWorld } from './world.ts';

const seed = 20261123;
const world = defineWorld();
const catalogue = createCatalogue(world);
const stream = randomStream(seed, 'describe test');

describe(`truePrompts (seed ${seed})`, () => {
  // Every 23rd prompt: all categories are among them.
  const samples = catalogue.entries
    .filter((_, i) => i % 23 === 0)
    .map(({ metadata }, i) => ({ metadata, scene: sampleScene(world, metadata, { address: stream.at(0, i) }) }));

  test('holds the prompt that a scene was drawn for', () => {
    for (const { metadata, scene } of samples) expect(truePrompts(scene)).toContainEqual(metadata);
  });

  test('holds prompts of the grammar alone, each once, all judged true', () => {
    for (const { scene } of samples) {
      const prompts = truePrompts(scene);
      expect(new Set(prompts.map(({ prompt }) => prompt)).size).toBe(prompts.length);
      for (const metadata of prompts) {
        expect(catalogue.find(metadata.prompt).metadata).toEqual(metadata);
        expect(judge(metadata, sceneDetections(scene)).reasons).toEqual([]);
      }
    }
  });

  test('holds every prompt that speaks of all objects and is judged true', () => {
    for (const { scene } of samples.filter((_, i) => i % 20 === 0)) {
      const isWhole = (include: readonly { count: number }[]): boolean =>
        include.reduce((sum, { count }) => sum + count, 0) === scene.length;
      const expected = catalogue.entries
        .filter(({ metadata }) => isWhole(metadata.include) && judge(metadata, sceneDetections(scene)).correct)
        .map(({ metadata }) => metadata.prompt);
      const found = truePrompts(scene).map(({ prompt }) => prompt);
      expect(new Set(found)).toEqual(new Set(expected));
    }
  });

  test('is empty for scenes that the grammar has no words for', () => {
    const object: SceneObject = { shape: 'circle', color: 'red', size: 'small', column: 0, row: 0 };
    const four: Scene = (['circle', 'square', 'triangle', 'cross'] as const).map((shape, i) => ({
      ...object,
      shape,
      column: (i % 2) * 4,
      row: 4 * (i >> 1),
    }));
    expect(truePrompts([])).toEqual([]);
    expect(truePrompts(four).filter(({ prompt }) => catalogue.has(prompt))).toEqual([]);
  });
});

describe('describeScene', () => {
  const scene: Scene = [
    { shape: 'circle', color: 'red', size: 'large', column: 0, row: 0 },
    { shape: 'square', color: 'blue', size: 'small', column: 6, row: 1 },
  ];

  test('chooses training prompts by the weights of their categories', () => {
    const chosen = Array.from({ length: 400 }, (_, i) =>
      describeScene(scene, catalogue, {
        address: stream.at(1, i),
        weights: { position: 1, color_attr: 3, counting: 9 },
      }),
    );
    expect(chosen.every((entry) => entry?.split === 'train')).toBe(true);
    const tags = chosen.map((entry) => entry?.metadata.tag);
    const colorAttr = tags.filter((tag) => tag === 'color_attr').length;
    expect(tags.filter((tag) => tag === 'position').length).toBe(400 - colorAttr);
    expect(Math.abs(colorAttr - 300)).toBeLessThan(4.5 * Math.sqrt(400 * 0.75 * 0.25));
  });

  test('never gives a held-out meaning away', () => {
    const heldOut = new Set(
      catalogue.entries.filter(({ split }) => split === 'held-out').map(({ meaning }) => meaning),
    );
    for (const { metadata } of catalogue.entries.filter((_, i) => i % 23 === 0)) {
      const drawn = sampleScene(world, metadata, { address: stream.at(2) });
      const entry = describeScene(drawn, catalogue, { address: stream.at(3) });
      if (entry) expect(heldOut.has(meaningOf(entry.metadata))).toBe(false);
    }
  });

  test('has nothing to say where no weight allows it', () => {
    expect(describeScene(scene, catalogue, { address: stream.at(4), weights: { counting: 1 } })).toBeUndefined();
    expect(describeScene([], catalogue, { address: stream.at(4) })).toBeUndefined();
  });
});
