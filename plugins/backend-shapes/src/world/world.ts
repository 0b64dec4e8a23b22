/**
 * What a world of shapes consists of: its configuration, and the fixed geometry of its images.
 *
 * Images are 64 x 64 RGB, a grid of 4 x 4 cells of 16 pixels, and an object stands in the middle of a cell. A patch of the
 * tokenizer is a cell, so that a token is an object with its shape, colour and size, or empty ground. That is why colours can be
 * bound to shapes after minutes: with patches of 4 pixels and objects of several patches they were not after half an hour
 * (docs/decisions/0004-world-of-shapes.md).
 */
import { defineConfig } from '@gvu/core';
import type { ColorName } from './palette.ts';
import type { ShapeName } from './shapes.ts';

/** Pixels of an image's side. */
export const imageSide = 64;
/** Pixels of a cell's side. */
export const cellSide = 16;
/** Cells of an image's side. */
export const gridSide = imageSide / cellSide;
/** Pixels of an object's side. */
export const sizePixels = { small: 8, large: 12 } as const;
export type Size = keyof typeof sizePixels;
/** The most objects that the grammar asks for. */
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
