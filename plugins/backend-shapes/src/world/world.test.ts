import { describe, expect, test } from 'vitest';
import { cellSide, defineWorld, gridSide, maxObjects, sizePixels } from './world.ts';

const isPositiveInteger = (value: number): boolean => Number.isInteger(value) && value > 0;

describe('a world', () => {
  test('has six shapes and six colours unless told otherwise', () => {
    const world = defineWorld();
    expect(world.shapes).toEqual(['circle', 'square', 'triangle', 'cross', 'heart', 'moon']);
    expect(world.colors).toEqual(['red', 'yellow', 'green', 'blue', 'pink', 'black']);
    expect(defineWorld({ colors: ['red', 'blue'], noise: 0 })).toEqual({ ...world, colors: ['red', 'blue'], noise: 0 });
  });

  test('reports every problem of its options at once', () => {
    const options = { shapes: ['circle', 'circle', 'sqare'], colors: ['red'], smallShare: 2, noise: -1, extra: 1 };
    // Not what the type allows: options come from configuration files too.
    const define = () => defineWorld(options as unknown as Parameters<typeof defineWorld>[0]);
    expect(define).toThrow('GVU_CONFIG_INVALID');
    for (const key of ['/shapes', '/shapes/2', '/colors', '/smallShare', '/noise', '/extra'])
      expect(define).toThrow(key);
  });

  test('has room for the most objects, apart from each other at any size', () => {
    expect(Number.isInteger(gridSide)).toBe(true);
    expect(gridSide ** 2).toBeGreaterThanOrEqual(maxObjects);
    // Whole pixels of ground on both sides: objects in neighbouring cells are always apart.
    for (const side of Object.values(sizePixels)) expect((cellSide - side) / 2).toSatisfy(isPositiveInteger);
  });
});
