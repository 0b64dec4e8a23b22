import { randomStream } from '@gvu/core';
import { describe, expect, test } from 'vitest';
import { createCatalogue } from './catalogue.ts';
import { promptChooser } from './choose-prompt.ts';
import { defineWorld } from './world.ts';

const catalogue = createCatalogue(defineWorld());
const stream = randomStream(20261123, 'choose prompt test');

describe('promptChooser', () => {
  test('chooses categories by their weights and prompts of one split', () => {
    const choose = promptChooser(catalogue, {
      split: 'held-out',
      weights: { position: 3, single_object: 1, counting: 0 },
    });
    const entries = Array.from({ length: 4000 }, (_, i) => choose(stream.at(0, i)));
    expect(entries.every(({ split }) => split === 'held-out')).toBe(true);
    const single = entries.filter(({ metadata }) => metadata.tag === 'single_object');
    expect(Math.abs(single.length - 1000)).toBeLessThan(4.5 * Math.sqrt(4000 * 0.25 * 0.75));
    expect(entries.filter(({ metadata }) => metadata.tag === 'position')).toHaveLength(4000 - single.length);
    // Each of the 24 prompts of position is expected 125 times.
    const counts = new Map<string, number>();
    for (const { metadata } of entries) counts.set(metadata.prompt, (counts.get(metadata.prompt) ?? 0) + 1);
    const positions = [...counts].filter(([prompt]) => / of a .* (left|right|above|below)/.test(prompt));
    expect(positions).toHaveLength(24);
    for (const [prompt, count] of positions) expect(Math.abs(count - 125), prompt).toBeLessThan(4.5 * Math.sqrt(125));
  });

  test('gives every category its turn unless weights are given', () => {
    const choose = promptChooser(catalogue, { split: 'train' });
    const tags = new Set(Array.from({ length: 500 }, (_, i) => choose(stream.at(1, i)).metadata.tag));
    expect(tags.size).toBe(11);
    expect(choose(stream.at(1, 3))).toBe(choose(stream.at(1, 3)));
  });

  test('reports every weight that cannot be used', () => {
    const weights = { position: -1, counting: Number.NaN, colors: 1 };
    expect(() => promptChooser(catalogue, { split: 'unseen-pair', weights })).toThrow(
      /counting has weight NaN; colors has no unseen-pair prompt; position has weight -1/,
    );
    expect(() => promptChooser(catalogue, { split: 'train', weights: {} })).toThrow('all weights are 0');
  });
});
