/**
 * How often the judge of pixels is right, on drawn and on spoilt images, over all categories: measured from fixed seeds.
 *
 * The limits are what the world promises; `bench/judge.ts` prints the numbers with more images, codebooks and categories.
 */
import { randomStream } from '@gvu/core';
import { describe, expect, test } from 'vitest';
import { createCatalogue } from '../src/world/catalogue.ts';
import { detectObjects } from '../src/world/detector.ts';
import { judge } from '../src/world/judge.ts';
import { categories, type PromptMetadata } from '../src/world/metadata.ts';
import { createProbes, swapKinds } from '../src/world/probes.ts';
import { renderScene } from '../src/world/render.ts';
import { defineWorld } from '../src/world/world.ts';
import { addNormalNoise, blur, fitCodebook, quantise } from './degrade.ts';
import { drawnImages } from './drawn-images.ts';

const seed = 20261123;
const world = defineWorld();
const catalogue = createCatalogue(world);
const stream = randomStream(seed, 'judge accuracy');
const images = drawnImages(world, catalogue, { count: 3300, seed });

/** The share of images that are judged as they should be, in percent. */
function accuracy(from: typeof images, spoil: (pixels: Uint8Array, index: number) => Uint8Array): number {
  const right = from.filter(
    ({ metadata, pixels }, i) => judge(metadata, detectObjects(world, spoil(pixels, i))).correct,
  );
  return (100 * right.length) / from.length;
}

describe(`the judge (seed ${seed})`, () => {
  test('is right on 3,300 drawn images of all categories', () => {
    expect(new Set(images.map(({ metadata }) => metadata.tag)).size).toBe(categories.length);
    expect(accuracy(images, (pixels) => pixels)).toBeGreaterThanOrEqual(99.5);
  });

  test('is right on images of cells from a codebook of 96', () => {
    // Of images without noise: among noisy ones k-means spends most codes on the ground, and whole objects have none.
    const clean = drawnImages(defineWorld({ noise: 0 }), catalogue, { count: 660, seed: seed + 1 });
    const training = clean.map(({ pixels }) => pixels);
    const codebook = fitCodebook(training, { codes: 96, iterations: 1, address: stream.at(0) });
    expect(accuracy(images.slice(0, 440), (pixels) => quantise(pixels, codebook))).toBeGreaterThanOrEqual(98);
  });

  test('is right on noisy and on blurred images', () => {
    const some = images.slice(0, 440);
    expect(accuracy(some, (pixels, i) => addNormalNoise(pixels, 15, stream.at(1, i)))).toBeGreaterThanOrEqual(99);
    expect(accuracy(some, (pixels) => blur(pixels, 0.8))).toBeGreaterThanOrEqual(98);
    expect(
      accuracy(some, (pixels, i) => addNormalNoise(blur(pixels, 0.8), 15, stream.at(2, i))),
    ).toBeGreaterThanOrEqual(97);
  });

  test.each(swapKinds)('finds prompts wrong whose %s was swapped', (kind) => {
    const probes = createProbes(world, catalogue, { seed, split: 'held-out' });
    const accepted = Array.from({ length: 300 }, (_, i) => {
      const { scene, wrong } = probes.swap(kind, i);
      const pixels = renderScene(world, scene, stream.at(3, i));
      return judge(catalogue.find(wrong).metadata, detectObjects(world, pixels)).correct;
    });
    expect(accepted.filter(Boolean).length).toBeLessThanOrEqual(1);
  });

  test('finds images wrong that were drawn for another prompt', () => {
    // Of the other prompts of its category an image may fulfil a few: "a circle above a square" and "left of".
    const isTrueOf = (metadata: PromptMetadata, pixels: Uint8Array): boolean =>
      judge(metadata, detectObjects(world, pixels)).correct;
    const counts = images
      .slice(0, 1100)
      .filter(({ metadata }) => metadata.tag === 'counting' || metadata.tag === 'color_count');
    const others = counts.map((_, i) => counts[(i + 2) % counts.length]);
    const accepted = counts.filter(({ pixels, metadata }, i) => {
      const other = others[i];
      return other && other.metadata.prompt !== metadata.prompt && isTrueOf(other.metadata, pixels);
    });
    expect(accepted.map(({ metadata }) => metadata.prompt)).toEqual([]);
  });
});
