import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isInRegion, type Relation, relationsOf } from './relations.ts';
import type { Box } from './scene.ts';

const seed = 20261123;

function square(centerX: number, centerY: number, side = 10): Box {
  return { x: centerX - side / 2, y: centerY - side / 2, width: side, height: side };
}

const target = square(100, 100);

describe("GenEval's relations", () => {
  test.each<[number, number, Relation[]]>([
    [80, 100, ['left of']],
    [120, 100, ['right of']],
    [100, 80, ['above']],
    [100, 120, ['below']],
    // Offset (-20, -20), shrunk by 0.1 * (10 + 10) = 2 to 18 on each axis: 18 / 28.3 = 0.64 on both.
    [80, 80, ['left of', 'above']],
    [120, 80, ['right of', 'above']],
    // Offset (-20, 11): 18 / 22.8 = 0.79 and 9 / 22.8 = 0.39.
    [80, 111, ['left of']],
    // Offset 2 on one axis is within the margin.
    [102, 100, []],
    [100, 100, []],
    // Offset (3, 0): 1 / 3 is below one half; offset (4.1, 0): 2.1 / 4.1 is above.
    [103, 100, []],
    [104.1, 100, ['right of']],
  ])('of a square at (%d, %d)', (x, y, expected) => {
    expect(relationsOf(square(x, y), target)).toEqual(expected);
  });

  test('ask for more distance of larger boxes', () => {
    expect(relationsOf(square(104.1, 100, 30), target)).toEqual([]);
    expect(relationsOf(square(110, 100, 30), target)).toEqual(['right of']);
  });

  test('exchange when the boxes do', () => {
    const opposite = { 'left of': 'right of', 'right of': 'left of', above: 'below', below: 'above' } as const;
    const box = fc.record({
      x: fc.integer({ min: 0, max: 30 }),
      y: fc.integer({ min: 0, max: 30 }),
      width: fc.integer({ min: 1, max: 16 }),
      height: fc.integer({ min: 1, max: 16 }),
    });
    const check = fc.property(box, box, (first, second) => {
      const turned = relationsOf(second, first).map((relation) => opposite[relation]);
      expect(new Set(turned)).toEqual(new Set(relationsOf(first, second)));
      expect(turned.length).toBeLessThanOrEqual(2);
    });
    fc.assert(check, { seed });
  });
});

test('a box in the middle is in no half of the image', () => {
  const regions = ['left', 'right', 'above', 'below'] as const;
  expect(regions.filter((region) => isInRegion(square(32, 32), region))).toEqual([]);
  expect(regions.filter((region) => isInRegion(square(31.5, 32.5), region))).toEqual(['left', 'below']);
});
