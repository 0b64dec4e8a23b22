/**
 * How well the world can be judged: the share of images whose prompt the judge finds fulfilled, drawn, spoilt, rebuilt from
 * codebooks of cells, and encoded and decoded by a model, for several worlds; how often it accepts a wrong prompt; and what things cost.
 *
 * `node --import tsx --conditions=@gvu/source plugins/backend-shapes/bench/judge.ts [images] [world] [model]`: prints tables in
 * Markdown. With the directory of a model, only what the judge says of images that the model has decoded, in its own world: a
 * wrong verdict there is a fault of the judge or of the decoder, so that their share is the most that the judge can be wrong.
 */
import { randomStream } from '@gvu/core';
import { Runtime } from '@gvu/onnx';
import type { ShapesModel } from '../src/model/shapes-model.ts';
import { openModel } from '../src/model/weights.ts';
import { inBatches } from '../src/pretrain/evaluation.ts';
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
const [, , countArgument = '3300', onlyWorld = '', modelFolder] = process.argv;
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

const codebookSizes = [48, 96];
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
  const clean = drawnImages({ ...world, noise: 0 }, catalogue, { count: 660, seed: seed + 1 });
  const training = clean.map(({ pixels }) => pixels);
  for (const codes of codebookSizes) {
    for (const number of codebookSeeds) {
      const codebook = fitCodebook(training, { codes, iterations: 2, address: stream.at(number, codes) });
      all[`${codes} cells, fit ${number}`] = (pixels) => quantise(pixels, codebook);
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

/** The images as a model gives them back. */
async function decoded(model: ShapesModel, images: readonly Uint8Array[]): Promise<Uint8Array[]> {
  return inBatches(images, async (batch, from) =>
    model.decode(
      await model.encode(batch),
      batch.map((_, row) => stream.at(3, from + row)),
    ),
  );
}

/** What the judge says of decoded images: whose prompt is right, by category, and whose has one swapped thing. */
async function judgeDecoded(folder: string): Promise<void> {
  await using runtime = await Runtime.create({ threads: 1 });
  const model = await openModel(runtime, folder);
  const { world } = model.config;
  const catalogue = createCatalogue(world);
  const images = drawnImages(world, catalogue, { count, seed });
  const rebuilt = await decoded(
    model,
    images.map(({ pixels }) => pixels),
  );
  print(
    `Encoded and decoded by ${folder}, judged right in percent:\n\n| Images | right | worst category |\n|---|---|---|`,
  );
  print(`| as drawn | ${accuracy(world, images, (pixels) => pixels)} |`);
  print(`| decoded | ${accuracy(world, images, (pixels, i) => rebuilt[i] ?? pixels)} |`);
  const seen = images.map(({ scene }, i) => {
    const found = detectObjects(world, rebuilt[i] ?? new Uint8Array());
    const nameOf = (object: { shape: string; color: string }) => `${object.color} ${object.shape}`;
    const missing = scene.map(nameOf);
    const extra = found.filter(({ class: shape, color }) => {
      const at = missing.indexOf(nameOf({ shape, color }));
      if (at >= 0) missing.splice(at, 1);
      return at < 0;
    });
    return { objects: scene.length, missed: missing.length, extra: extra.length };
  });
  const total = (of: 'objects' | 'missed' | 'extra'): number => seen.reduce((sum, counts) => sum + counts[of], 0);
  print(
    `\nOf ${total('objects')} objects ${total('missed')} are not found as what they are; ${total('extra')} are found that are not there.`,
  );
  const probes = createProbes(world, catalogue, { seed, split: 'held-out' });
  for (const kind of swapKinds) {
    const asked = Array.from({ length: 300 }, (_, i) => probes.swap(kind, i));
    const shown = await decoded(
      model,
      asked.map(({ scene }, i) => renderScene(world, scene, stream.at(0, i))),
    );
    const taken = asked.filter(
      ({ wrong }, i) =>
        judge(catalogue.find(wrong).metadata, detectObjects(world, shown[i] ?? new Uint8Array())).correct,
    );
    print(`Wrong prompts accepted, ${kind} swapped: ${taken.length} of ${asked.length}.`);
  }
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
if (modelFolder !== undefined) await judgeDecoded(modelFolder);
const chosen = Object.entries(worlds).filter(([name]) => modelFolder === undefined && name.startsWith(onlyWorld));
for (const [name, world] of chosen) {
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
