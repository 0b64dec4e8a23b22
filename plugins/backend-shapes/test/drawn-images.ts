/** Images with the metadata that they were drawn for, of every category in turn: a pure function of the seed. */
import { randomStream } from '@gvu/core';
import type { Catalogue } from '../src/world/catalogue.ts';
import { drawsFrom } from '../src/world/draws.ts';
import { categories, type PromptMetadata } from '../src/world/metadata.ts';
import { renderScene } from '../src/world/render.ts';
import { sampleScene } from '../src/world/sample-scene.ts';
import type { Scene } from '../src/world/scene.ts';
import type { World } from '../src/world/world.ts';

export interface DrawnImage {
  metadata: PromptMetadata;
  scene: Scene;
  pixels: Uint8Array;
}

export function drawnImages(
  world: World,
  catalogue: Catalogue,
  { count, seed }: { count: number; seed: number },
): DrawnImage[] {
  const [prompts, scenes, noise] = ['prompts', 'scenes', 'noise'].map((name) =>
    randomStream(seed, `drawn images/${name}`),
  );
  if (!prompts || !scenes || !noise) throw new RangeError('Three streams are needed.');
  const byCategory = categories.map((category) => [
    ...catalogue.select(category, 'train'),
    ...catalogue.select(category, 'held-out'),
  ]);
  return Array.from({ length: count }, (_, i) => {
    const { metadata } = drawsFrom(prompts.at(i)).pick(byCategory[i % byCategory.length] ?? []);
    const scene = sampleScene(world, metadata, { address: scenes.at(i) });
    return { metadata, scene, pixels: renderScene(world, scene, noise.at(i)) };
  });
}
