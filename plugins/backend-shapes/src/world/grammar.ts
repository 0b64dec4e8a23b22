/** All prompts of a world, category by category; the sentences are those of `wording.ts`. */
import { type Category, categories, type PromptMetadata } from './metadata.ts';
import { oppositeRegion, regions, relations } from './relations.ts';
import type { ShapeName } from './shapes.ts';
import * as wording from './wording.ts';
import { maxObjects, type World } from './world.ts';

/** Counts of two kinds of objects, more than two objects in all. */
const countPairs = [1, 2, 3].flatMap((first) =>
  [1, 2, 3]
    .filter((second) => first + second > 2 && first + second <= maxObjects)
    .map((second) => [first, second] as const),
);
/** Two of a kind are the most that fit in a half of the image whatever their sizes. */
const regionCountPairs = [1, 2].flatMap((first) => [1, 2].map((second) => [first, second] as const));
const countTriples = [
  [1, 1, 1],
  [2, 1, 1],
  [1, 2, 1],
  [1, 1, 2],
] as const;

const prompts: Record<Category, (world: World) => PromptMetadata[]> = {
  single_object: ({ shapes }) => shapes.map(wording.singleObject),
  two_object: ({ shapes }) => pairs(shapes).map(([first, second]) => wording.twoObject(first, second)),
  counting: ({ shapes }) => [2, 3, 4].flatMap((count) => shapes.map((shape) => wording.counting(count, shape))),
  colors: (world) => coloredShapes(world).map(wording.colors),
  position: ({ shapes }) =>
    relations.flatMap((relation) =>
      pairs(shapes).map(([object, target]) => wording.position(object, relation, target)),
    ),
  color_attr: (world) => coloredPairs(world).map(([first, second]) => wording.colorAttr(first, second)),
  color_count: (world) =>
    coloredPairs(world).flatMap(([first, second]) =>
      countPairs.map(([m, n]) => wording.colorCount({ ...first, count: m }, { ...second, count: n })),
    ),
  color_pos: (world) =>
    coloredPairs(world).flatMap(([first, second]) =>
      regions.map((region) => wording.colorPos({ ...first, region }, { ...second, region: oppositeRegion[region] })),
    ),
  pos_count: ({ shapes }) =>
    pairs(shapes).flatMap(([first, second]) =>
      regions.flatMap((region) =>
        regionCountPairs.map(([m, n]) =>
          wording.posCount(
            { shape: first, count: m, region },
            { shape: second, count: n, region: oppositeRegion[region] },
          ),
        ),
      ),
    ),
  pos_size: ({ shapes }) =>
    pairs(shapes).flatMap(([first, second]) =>
      regions.map((region) =>
        wording.posSize(
          { shape: first, size: 'larger', region },
          { shape: second, size: 'smaller', region: oppositeRegion[region] },
        ),
      ),
    ),
  multi_count: ({ shapes }) => [
    ...pairs(shapes).flatMap(([first, second]) =>
      countPairs.map(([m, n]) =>
        wording.multiCount([
          { shape: first, count: m },
          { shape: second, count: n },
        ]),
      ),
    ),
    ...pairs(shapes).flatMap(([first, second]) =>
      shapes
        .filter((shape) => shape !== first && shape !== second)
        .flatMap((third) =>
          countTriples.map(([k, m, n]) =>
            wording.multiCount([
              { shape: first, count: k },
              { shape: second, count: m },
              { shape: third, count: n },
            ]),
          ),
        ),
    ),
  ],
};

/** Every prompt of the world, none twice. */
export function grammar(world: World): PromptMetadata[] {
  return categories.flatMap((category) => prompts[category](world));
}

/** Ordered pairs of different items. */
function pairs<T>(items: readonly T[]): [T, T][] {
  return items.flatMap((first) => items.filter((item) => item !== first).map((second): [T, T] => [first, second]));
}

function coloredShapes({ shapes, colors }: World): wording.Colored[] {
  return shapes.flatMap((shape) => colors.map((color) => ({ color, shape })));
}

/** Pairs that differ in shape and in colour, as in GenEval's attribute binding. */
function coloredPairs({ shapes, colors }: World): [wording.Colored, wording.Colored][] {
  return pairs<ShapeName>(shapes).flatMap(([first, second]) =>
    pairs(colors).map(([one, other]): [wording.Colored, wording.Colored] => [
      { color: one, shape: first },
      { color: other, shape: second },
    ]),
  );
}
