import { describe, expect, test } from 'vitest';
import { createCatalogue } from './catalogue.ts';
import { sceneDetections } from './detector.ts';
import { judge } from './judge.ts';
import { categories } from './metadata.ts';
import { createProbes, type SwapProbe, swapKinds } from './probes.ts';
import { defineWorld } from './world.ts';

const seed = 20261123;
const world = defineWorld();
const catalogue = createCatalogue(world);
const probes = createProbes(world, catalogue, { seed, split: 'held-out' });
const indices = Array.from({ length: 330 }, (_, i) => i);

describe(`probes of reading (seed ${seed})`, () => {
  test('retrieval offers eight prompts, one true and held out, of every category', () => {
    const all = indices.map((index) => probes.retrieval(index));
    expect(new Set(all.map(({ category }) => category))).toEqual(new Set(categories));
    for (const { scene, prompts, answer, category } of all) {
      const right = prompts.map((prompt) => judge(catalogue.find(prompt).metadata, sceneDetections(scene)).correct);
      expect(right).toEqual(prompts.map((_, i) => i === answer));
      expect(new Set(prompts).size).toBe(8);
      expect(catalogue.find(prompts[answer] ?? '')).toMatchObject({ split: 'held-out', metadata: { tag: category } });
      // Only single objects have too few wrong prompts of their own kind.
      const same = prompts.filter((prompt) => catalogue.find(prompt).metadata.tag === category).length;
      expect(same, category).toBe(category === 'single_object' ? 6 : 8);
    }
  });

  test('retrieval hides the answer evenly', () => {
    const counts = Array.from(
      { length: 8 },
      (_, answer) => indices.filter((index) => probes.retrieval(index).answer === answer).length,
    );
    const chiSquare = counts.reduce((sum, count) => sum + (count - 330 / 8) ** 2 / (330 / 8), 0);
    expect(chiSquare).toBeLessThan(7 + 4.5 * Math.sqrt(14));
  });

  test.each(swapKinds)('a swap of %s changes nothing else, and makes the prompt wrong', (kind) => {
    const words = {
      count: /^(one|two|three|four)$/,
      color: /^(red|yellow|green|blue|pink|black)$/,
      position: /^(left|right|of|above|below)$/,
    }[kind];
    const rest = (prompt: string): string =>
      prompt
        .split(/[ ,]+/)
        .filter((word) => !words.test(word))
        .map((word) => word.replace(/^crosses$/, 'cross').replace(/(?<!s)s$/, ''))
        .join(' ');
    for (const index of indices) {
      const { scene, right, wrong } = probes.swap(kind, index);
      const judged = [right, wrong].map(
        (prompt) => judge(catalogue.find(prompt).metadata, sceneDetections(scene)).correct,
      );
      expect(judged).toEqual([true, false]);
      expect(rest(wrong)).toBe(rest(right));
    }
  });

  test('a swap keeps the bag of words where two objects have two colours or regions', () => {
    const bag = (text: string): string =>
      text
        .split(' ')
        .toSorted((a, b) => a.localeCompare(b))
        .join(' ');
    const check = (probe: SwapProbe): void => expect(probe.isExchange).toBe(bag(probe.right) === bag(probe.wrong));
    for (const kind of swapKinds) for (const index of indices) check(probes.swap(kind, index));
    const exchanged = indices.map((index) => probes.swap('color', index)).filter(({ isExchange }) => isExchange);
    expect(new Set(exchanged.map(({ category }) => category))).toEqual(
      new Set(['color_attr', 'color_count', 'color_pos']),
    );
  });

  test('are the same for the same seed and others for another', () => {
    const other = createProbes(world, catalogue, { seed: seed + 1, split: 'held-out' });
    const again = createProbes(world, catalogue, { seed, split: 'held-out' });
    for (const make of [
      (p: typeof probes) => p.retrieval(5),
      (p: typeof probes) => p.swap('color', 5),
      (p: typeof probes) => p.question(5),
    ]) {
      expect(make(again)).toEqual(make(probes));
      expect(make(other)).not.toEqual(make(probes));
    }
  });
});
