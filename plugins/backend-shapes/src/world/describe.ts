/** From a scene to its prompts: all that describe the whole of it truly, and one of them by choice. */
import type { RandomAddress } from '@gvu/core';
import type { Catalogue } from './catalogue.ts';
import { chooseCategory, equalWeights, type PromptWeights } from './choose-prompt.ts';
import { drawsFrom } from './draws.ts';
import { categories, type PromptMetadata } from './metadata.ts';
import type { ColorName } from './palette.ts';
import { isInRegion, oppositeRegion, type Region, regions, relationsOf } from './relations.ts';
import { boxOf, type Scene, type SceneObject } from './scene.ts';
import type { ShapeName } from './shapes.ts';
import type { CatalogueEntry } from './split.ts';
import * as wording from './wording.ts';

/**
 * A true training prompt of the scene, or `undefined` when the grammar has none for it: the category by its weight among
 * those that have one, then each equally likely.
 */
export function describeScene(
  scene: Scene,
  catalogue: Catalogue,
  { address, weights = equalWeights }: { address: RandomAddress; weights?: PromptWeights },
): CatalogueEntry | undefined {
  const draws = drawsFrom(address);
  const entries = truePrompts(scene)
    .map(({ prompt }) => catalogue.find(prompt))
    .filter(({ split, metadata }) => split === 'train' && (weights[metadata.tag] ?? 0) > 0);
  if (entries.length === 0) return undefined;
  const present = categories.filter((category) => entries.some(({ metadata }) => metadata.tag === category));
  const category = chooseCategory(present, weights, draws);
  return draws.pick(entries.filter(({ metadata }) => metadata.tag === category));
}

/** Objects of one shape. */
interface Group {
  readonly shape: ShapeName;
  readonly count: number;
  readonly objects: Scene;
  /** The colour, if all have the same. */
  readonly color: ColorName | undefined;
}

/** Every prompt of the grammar that is true of the scene and leaves none of its objects out. */
export function truePrompts(scene: Scene): PromptMetadata[] {
  const groups = [...new Set(scene.map(({ shape }) => shape))].map((shape) => groupOf(shape, scene));
  const [first, second, third] = groups;
  if (!first) return [];
  if (!second) return promptsOfOne(first);
  if (third) return permutations(groups).map(wording.multiCount);
  return [...promptsOfTwo(first, second), ...promptsOfTwo(second, first)];
}

function promptsOfOne({ shape, count, color }: Group): PromptMetadata[] {
  if (count > 1) return [wording.counting(count, shape)];
  return [wording.singleObject(shape), ...(color ? [wording.colors({ color, shape })] : [])];
}

/** The prompts of two kinds of objects that name them in this order. */
function promptsOfTwo(first: Group, second: Group): PromptMetadata[] {
  const found: PromptMetadata[] = [];
  const [one, other] = [first.objects[0], second.objects[0]];
  const isPair = first.count === 1 && second.count === 1;
  const colored =
    first.color && second.color && first.color !== second.color
      ? ([
          { ...first, color: first.color },
          { ...second, color: second.color },
        ] as const)
      : undefined;
  if (!isPair) {
    found.push(wording.multiCount([first, second]));
    if (colored) found.push(wording.colorCount(...colored));
  } else if (one && other) {
    found.push(wording.twoObject(first.shape, second.shape));
    for (const relation of relationsOf(boxOf(one), boxOf(other))) {
      found.push(wording.position(first.shape, relation, second.shape));
    }
    if (colored) found.push(wording.colorAttr(...colored));
  }
  for (const region of regions) {
    const opposite = oppositeRegion[region];
    if (!areIn(first.objects, region) || !areIn(second.objects, opposite)) continue;
    if (first.count <= 2 && second.count <= 2) {
      found.push(wording.posCount({ ...first, region }, { ...second, region: opposite }));
    }
    if (!isPair) continue;
    if (colored) found.push(wording.colorPos({ ...colored[0], region }, { ...colored[1], region: opposite }));
    if (one?.size === 'large' && other?.size === 'small') {
      const [larger, smaller] = [{ ...first, size: 'larger' } as const, { ...second, size: 'smaller' } as const];
      found.push(wording.posSize({ ...larger, region }, { ...smaller, region: opposite }));
    }
  }
  return found;
}

function groupOf(shape: ShapeName, scene: Scene): Group {
  const objects = scene.filter((object) => object.shape === shape);
  const colors = new Set(objects.map(({ color }) => color));
  return { shape, count: objects.length, objects, color: colors.size === 1 ? objects[0]?.color : undefined };
}

function areIn(objects: readonly SceneObject[], region: Region): boolean {
  return objects.every((object) => isInRegion(boxOf(object), region));
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}
