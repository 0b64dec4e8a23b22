import { describe, expect, test } from 'vitest';
import { coverage, type ShapeName } from './shapes.ts';

const names: readonly ShapeName[] = ['circle', 'square', 'triangle', 'cross', 'heart', 'moon', 'ring', 'star'];
const sides = [8, 12];

function area(mask: Float32Array): number {
  return mask.reduce((sum, value) => sum + value, 0) / mask.length;
}

describe('coverage', () => {
  test('has the areas of geometry', () => {
    for (const side of sides) {
      expect(area(coverage('square', side))).toBe(1);
      expect(area(coverage('circle', side))).toBeCloseTo(Math.PI / 4, 2);
      expect(area(coverage('triangle', side))).toBeCloseTo(1 / 2, 2);
      expect(area(coverage('cross', side))).toBeCloseTo(5 / 9, 1);
      expect(area(coverage('ring', side))).toBeCloseTo((Math.PI / 4) * 0.7, 2);
      // A five-pointed star: ten triangles of sin(36 degrees) r R / 2 each, in a square of side 2.
      expect(area(coverage('star', side))).toBeCloseTo((10 * Math.sin(Math.PI / 5) * 0.45 * 1.05) / 2 / 4, 1);
    }
  });

  test('is that of shapes whose left and right sides mirror each other, except for the moon', () => {
    for (const side of sides) {
      for (const name of names) {
        const mask = coverage(name, side);
        const mirrored = mask.map((_, i) => mask[i - (i % side) + side - 1 - (i % side)] ?? -1);
        const difference = mask.reduce((sum, value, i) => sum + Math.abs(value - (mirrored[i] ?? 0)), 0);
        if (name === 'moon') expect(difference).toBeGreaterThan(side);
        else expect(difference).toBeLessThan(0.1);
      }
    }
  });

  test('reaches two opposite borders of the square and is centred between them', () => {
    for (const name of names) {
      const mask = coverage(name, 12);
      const row = (y: number): number => Math.max(...mask.subarray(y * 12, (y + 1) * 12));
      expect(Math.min(row(0), row(11)), name).toBeGreaterThan(0.05);
    }
  });

  test('tells every two shapes apart: they share at most 0.8 of their union, also when small', () => {
    for (const side of sides) {
      for (const [i, first] of names.entries()) {
        for (const second of names.slice(i + 1)) {
          const [a, b] = [coverage(first, side), coverage(second, side)];
          const shared = a.reduce((sum, value, at) => sum + Math.min(value, b[at] ?? 0), 0);
          const united = a.reduce((sum, value, at) => sum + Math.max(value, b[at] ?? 0), 0);
          expect(shared / united, `${first} and ${second}`).toBeLessThan(0.8);
        }
      }
    }
  });
});
