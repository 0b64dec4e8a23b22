/**
 * What a world of shapes consists of: its configuration, and the fixed geometry of its images.
 *
 * Images are 32 x 32 RGB. Objects stand on a grid of 8 x 8 cells of 4 pixels, fill whole cells and keep one cell of
 * distance, so that a tokenizer with patches of 4 pixels meets few different patches: that decides whether a decoded
 * image can be judged at all. With six shapes, six colours and two sizes there are about 300 of them.
 */
import { defineConfig } from '@gvu/core';
import type { ColorName } from './palette.ts';
import type { ShapeName } from './shapes.ts';

/** Pixels of an image's side. */
export const imageSide = 32;
/** Pixels of a cell's side: objects are placed on multiples of it. */
export const cellSide = 4;
/** Cells of an image's side. */
export const gridSide = imageSide / cellSide;
/** Cells of an object's side. */
export const sizeCells = { small: 2, large: 3 } as const;
export type Size = keyof typeof sizeCells;
/** Empty cells between two objects, also diagonally. */
export const gapCells = 1;
/** The most objects that the grammar asks for, and that fit whatever their sizes. */
export const maxObjects = 4;

export interface World {
  readonly shapes: readonly ShapeName[];
  readonly colors: readonly ColorName[];
  /** The share of small objects among those whose size a prompt leaves open. */
  readonly smallShare: number;
  /** Standard deviation of the pixels' noise, of 255. */
  readonly noise: number;
}

const config = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    shapes: {
      description: 'Shapes of the world.',
      type: 'array',
      minItems: 3,
      uniqueItems: true,
      items: { enum: ['circle', 'square', 'triangle', 'cross', 'heart', 'moon', 'ring', 'star'] },
      default: ['circle', 'square', 'triangle', 'cross', 'heart', 'moon'],
    },
    colors: {
      description: 'Colours of the world.',
      type: 'array',
      minItems: 2,
      uniqueItems: true,
      items: { enum: ['red', 'yellow', 'green', 'blue', 'pink', 'black', 'orange', 'purple'] },
      default: ['red', 'yellow', 'green', 'blue', 'pink', 'black'],
    },
    smallShare: {
      description: 'Share of small objects among those whose size a prompt leaves open.',
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0.25,
    },
    noise: {
      description: "Standard deviation of the pixels' noise, of 255.",
      type: 'number',
      minimum: 0,
      maximum: 64,
      default: 5,
    },
  },
});

/**
 * A world: by default six shapes and six colours.
 * @throws GVU_CONFIG_INVALID with every problem.
 */
export function defineWorld(options: Partial<World> = {}): World {
  return config.parse(options, { source: 'The world of shapes' });
}
