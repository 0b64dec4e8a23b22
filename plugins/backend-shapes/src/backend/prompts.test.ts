import { randomStream } from '@gvu/core';
import { describe, expect, it } from 'vitest';
import { categories, createCatalogue, defineWorld, equalWeights } from '../world/index.ts';
import { shapesPrompts } from './prompts.ts';

const world = defineWorld();
const catalogue = createCatalogue(world);
const source = shapesPrompts({ world, weights: equalWeights });
const stream = randomStream(1, 'test/prompts');
const trained = Array.from({ length: 2000 }, (_, i) => source.train(stream.at(i)));

describe('the prompts of shapes', () => {
  it('are of training prompts, each category as often as its weight says', () => {
    expect(trained.every(({ prompt }) => catalogue.find(prompt).split === 'train')).toBe(true);
    for (const category of categories) {
      const share = trained.filter(({ tag }) => tag === category).length / trained.length;
      expect(Math.abs(share - 1 / categories.length)).toBeLessThan(0.025); // four standard deviations
    }
    const few = shapesPrompts({ world, weights: { counting: 3, position: 1, colors: 0 } });
    const tags = trained.map((_, i) => few.train(stream.at(i)).tag);
    expect(new Set(tags)).toEqual(new Set(['counting', 'position']));
    expect(tags.filter((tag) => tag === 'counting').length / tags.length).toBeCloseTo(0.75, 1);
  });

  it('are a function of the place', () => {
    expect(source.train(stream.at(7))).toEqual(trained[7]);
    expect(shapesPrompts({ world, weights: equalWeights }).train(stream.at(7))).toEqual(trained[7]);
  });

  it('carry metadata in the format of the benchmark, which are JSON', () => {
    const { prompt } = trained.find(({ tag }) => tag === 'position') ?? { prompt: '' };
    const { metadata } = trained.find((entry) => entry.prompt === prompt) ?? {};
    expect(metadata).toEqual(catalogue.find(prompt).metadata);
    expect(JSON.parse(JSON.stringify(metadata))).toEqual(metadata);
  });

  it('hold prompts out of every category, whatever the weights, and never train on their meanings', () => {
    const tests = shapesPrompts({ world, weights: { counting: 1 } }).heldOut({ seed: 4, perTag: 10 });
    const meanings = new Set(catalogue.entries.filter(({ split }) => split === 'train').map(({ meaning }) => meaning));
    expect(tests.some(({ prompt }) => meanings.has(catalogue.find(prompt).meaning))).toBe(false);
    expect(new Set(tests.map(({ tag }) => tag))).toEqual(new Set(categories));
    expect(new Set(tests.map(({ prompt }) => prompt)).size).toBe(tests.length);
    for (const category of categories) {
      const all = catalogue.select(category, 'held-out').length;
      expect(tests.filter(({ tag }) => tag === category)).toHaveLength(Math.min(10, all));
    }
    expect(source.heldOut({ seed: 4, perTag: 10 })).toEqual(tests);
    expect(source.heldOut({ seed: 5, perTag: 10 })).not.toEqual(tests);
    expect(source.heldOut({ seed: 4, perTag: 0 })).toEqual([]);
  });

  it('have another version in another world or with other weights', () => {
    const other = shapesPrompts({ world: defineWorld({ colors: ['red', 'blue'] }), weights: equalWeights });
    const weighted = shapesPrompts({ world, weights: { ...equalWeights, colors: 2 } });
    expect(new Set([source.version, other.version, weighted.version]).size).toBe(3);
    expect(shapesPrompts({ world: defineWorld({ noise: 1 }), weights: equalWeights }).version).toBe(source.version);
  });

  it('cannot be chosen without a weight', () => {
    expect(() => shapesPrompts({ world, weights: {} })).toThrow(expect.objectContaining({ code: 'GVU_SHAPES_CHOICE' }));
  });
});
