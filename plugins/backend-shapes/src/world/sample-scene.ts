/** Draws scenes that show exactly what a prompt asks for, varied in everything that it leaves open: colours, sizes, places. */
import type { GvuError, RandomAddress } from '@gvu/core';
import { shapesErrors } from '../errors.ts';
import { type Draws, drawsFrom } from './draws.ts';
import { placeSlots, type Slot } from './layout.ts';
import type { Included, PromptMetadata, RelativeSize } from './metadata.ts';
import type { Scene } from './scene.ts';
import type { Colored } from './wording.ts';
import { maxObjects, type Size, type World } from './world.ts';

export interface SceneOptions {
  readonly address: RandomAddress;
  /** Pairs of colour and shape that must not appear where the prompt leaves the colour open. */
  readonly withoutPairs?: readonly Colored[];
}

/**
 * A scene with the objects of the prompt and no others, which fulfils the prompt by GenEval's rules.
 * @throws GVU_SHAPES_SCENE when it asks for more than four objects or no layout fulfils it.
 */
export function sampleScene(world: World, metadata: PromptMetadata, options: SceneOptions): Scene {
  const draws = drawsFrom(options.address);
  const wanted = metadata.include.flatMap((entry) => Array.from({ length: entry.count }, () => entry));
  if (wanted.length > maxObjects) throw impossible(metadata, `Ask for at most ${maxObjects} objects.`);
  const painted = wanted.map((entry) => ({
    shape: entry.class,
    color: entry.color ?? draws.pick(openColors(world, entry, options.withoutPairs)),
    region: entry.region,
    relation: relationOf(entry, metadata, wanted),
  }));
  // Sizes after all colours: a scene follows from the order in which its address is drawn from.
  const slots = painted.map((object, i) => ({ ...object, size: sizeOf(wanted[i]?.size, world.smallShare, draws) }));
  const placed = placeSlots(slots, draws);
  if (!placed) throw impossible(metadata, 'Ask for relations that do not contradict each other.');
  return placed.map(({ shape, color, size, column, row }) => ({ shape, color, size, column, row }));
}

function impossible({ prompt }: PromptMetadata, hint: string): GvuError {
  return shapesErrors.error('GVU_SHAPES_SCENE', `No scene can show ${JSON.stringify(prompt)}.`, { hint });
}

function openColors(world: World, entry: Included, withoutPairs: readonly Colored[] = []) {
  return world.colors.filter(
    (color) => !withoutPairs.some((pair) => pair.color === color && pair.shape === entry.class),
  );
}

function sizeOf(size: RelativeSize | undefined, smallShare: number, draws: Draws): Size {
  if (size) return size === 'larger' ? 'large' : 'small';
  return draws.uniform() < smallShare ? 'small' : 'large';
}

function relationOf(
  { position }: Included,
  { include }: PromptMetadata,
  wanted: readonly Included[],
): Slot['relation'] {
  if (!position) return undefined;
  const [name, target] = position;
  return { name, targets: wanted.flatMap((other, index) => (other === include[target] ? [index] : [])) };
}
