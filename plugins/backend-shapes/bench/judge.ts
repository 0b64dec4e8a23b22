/**
 * How well the world can be judged: the share of images whose prompt the judge finds fulfilled, drawn, spoilt and rebuilt
 * from codebooks of 4 x 4 patches, for several worlds; how often it accepts a wrong prompt; and what things cost.
 *
 * `node --import tsx --conditions=@gvu/source plugins/backend-shapes/bench/judge.ts [images] [world]`: prints tables in Markdown.
 */
import { randomStream } from '@gvu/core';
import { type Catalogue, createCatalogue } from '../src/world/catalogue.ts';
import { detectObjects } from '../src/world/detector.ts';
import { judge } from '../src/world/judge.ts';
import { categories } from '../src/world/metadata.ts';
import { createProbes, swapKinds } from '../src/world/probes.ts';
import { renderScene } from '../src/world/render.ts';
import { sampleScene } from '../src/world/sample-scene.ts';
import { defineWorld, type World } from '../src/world/world.ts';
import { addNormalNoise, blur, fitCodebook, quantise } from '../test/degrade.ts';
import { type DrawnImage, drawnImages } from '../test/drawn-images.ts';

const seed = 20261123;
const [, , countArgument = '3300', onlyWorld = ''] = process.argv;
const count = Number(countArgument);
const stream = randomStream(seed, 'bench/judge');

const worlds: Record<string, World> = {
  'default: 6 x 6': defineWorld(),
  'ring for circle': defineWorld({ shapes: ['ring', 'square', 'triangle', 'cross', 'heart', 'moon'] }),
  'star for moon': defineWorld({ shapes: ['circle', 'square', 'triangle', 'cross', 'heart', 'star'] }),
  '8 x 8': defineWorld({
    shapes: ['circle', 'square', 'triangle', 'cross', 'heart', 'moon', 'ring', 'star'],
    colors: ['red', 'yellow', 'green', 'blue', 'pink', 'black', 'orange', 'purple'],
  }),
};

type Spoil = (pixels: Uint8Array, index: number) => Uint8Array;

const noisy = (deviation: number): Spoil => {
  return (pixels, index) => addNormalNoise(pixels, deviation, stream.at(deviation, index));
};

const codebookSizes = [128, 256, 512];
const codebookSeeds = [1, 2, 3];

function spoilers(world: World, catalogue: Catalogue): Record<string, Spoil> {
  const all: Record<string, Spoil> = {
    'as drawn': (pixels) => pixels,
    'noise 15': noisy(15),
    'noise 30': noisy(30),
    'blur 0.8 px': (pixels) => blur(pixels, 0.8),
    'blur 1.0 px': (pixels) => blur(pixels, 1),
    'blur 1.2 px': (pixels) => blur(pixels, 1.2),
    'blur 0.8 px, noise 15': (pixels, index) => noisy(15)(blur(pixels, 0.8), index),
  };
  const training = drawnImages(world, catalogue, { count: 660, seed: seed + 1 }).map(({ pixels }) => pixels);
  for (const codes of codebookSizes) {
    for (const number of codebookSeeds) {
      const codebook = fitCodebook(training, { codes, iterations: 2, address: stream.at(number, codes) });
      all[`${codes} patches, fit ${number}`] = (pixels) => quantise(pixels, codebook);
    }
  }
  return all;
}

/** Right of all, in percent, with the categories that are below the rest. */
function accuracy(world: World, images: readonly DrawnImage[], spoil: Spoil): string {
  const right = images.map(
    ({ metadata, pixels }, i) => judge(metadata, detectObjects(world, spoil(pixels, i))).correct,
  );
  const share = (of: readonly boolean[]): number => (100 * of.filter(Boolean).length) / of.length;
  const ofCategory = categories.map((category) => ({
    category,
    share: share(right.filter((_, i) => images[i]?.metadata.tag === category)),
  }));
  const [worst] = ofCategory.toSorted((a, b) => a.share - b.share);
  return `${share(right).toFixed(2)} | ${worst?.category} ${worst?.share.toFixed(1)}`;
}

/** How many of 1,000 prompts with one swapped thing are found true of the image. */
function accepted(world: World, catalogue: Catalogue): string {
  const probes = createProbes(world, catalogue, { seed, split: 'held-out' });
  return swapKinds
    .map((kind) => {
      const wrong = Array.from({ length: 1000 }, (_, i) => {
        const probe = probes.swap(kind, i);
        const pixels = renderScene(world, probe.scene, stream.at(0, i));
        return judge(catalogue.find(probe.wrong).metadata, detectObjects(world, pixels)).correct;
      });
      return `${kind} ${wrong.filter(Boolean).length}`;
    })
    .join(', ');
}

/** Microseconds of a call, after as many calls to warm up. */
function cost(calls: number, call: (index: number) => unknown): string {
  for (let i = 0; i < calls; i++) call(i);
  const from = performance.now();
  for (let i = 0; i < calls; i++) call(i);
  return (((performance.now() - from) / calls) * 1000).toFixed(0);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

print(`Seed ${seed}, ${count} images of all categories in turn, in percent.`);
for (const [name, world] of Object.entries(worlds).filter(([name]) => name.startsWith(onlyWorld))) {
  const catalogue = createCatalogue(world);
  const images = drawnImages(world, catalogue, { count, seed });
  print(
    `\n## ${name}: ${world.shapes.join(', ')}; ${world.colors.join(', ')}\n\n| Images | right | worst category |\n|---|---|---|`,
  );
  for (const [spoiling, spoil] of Object.entries(spoilers(world, catalogue))) {
    print(`| ${spoiling} | ${accuracy(world, images, spoil)} |`);
  }
  print(`\nWrong prompts accepted, of 1,000 each: ${accepted(world, catalogue)}.`);
  const { entries } = catalogue;
  const metadata = (i: number) => entries[(i * 7919) % entries.length]?.metadata ?? images[0]?.metadata;
  const costs = [
    [
      'a scene',
      cost(5000, (i) =>
        sampleScene(world, metadata(i) ?? { tag: 'colors', include: [], prompt: '' }, { address: stream.at(1, i) }),
      ),
    ],
    ['its pixels', cost(5000, (i) => renderScene(world, images[i % count]?.scene ?? [], stream.at(2, i)))],
    ['its detections', cost(2000, (i) => detectObjects(world, images[i % count]?.pixels ?? new Uint8Array()))],
  ];
  print(`Microseconds of ${costs.map(([what, time]) => `${what} ${time}`).join(', ')}.`);
}
