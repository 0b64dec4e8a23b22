import { describe, expect, test } from 'vitest';
import { defineWorld, gapCells, gridSide, maxObjects, sizeCells } from './world.ts';

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

  test('has room for the most objects of the largest size', () => {
    const perSide = Math.floor((gridSide + gapCells) / (sizeCells.large + gapCells));
    expect(perSide ** 2).toBeGreaterThanOrEqual(maxObjects);
  });
});
