import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MetricTable } from '../data/metric-table.ts';
import { decimate } from './decimate.ts';

function tableOf(values: readonly number[], first = 1): MetricTable {
  const table = new MetricTable();
  for (const [i, value] of values.entries()) table.put({ seq: i, step: first + i }, { y: value });
  return table;
}

test('few points are drawn as they are, each curve at its own steps', () => {
  const curves = [tableOf([1, Number.NaN, 3]).curve('y'), tableOf([5, 6], 3).curve('y')];
  expect(decimate(curves, { from: 1, to: 4, pixels: 100 })).toEqual([
    [1, 2, 3, 4],
    [1, null, 3, undefined],
    [undefined, undefined, 5, 6],
  ]);
});

test('of many, the extremes survive, in order, at the right pixel', () => {
  const values = fc.array(fc.oneof(fc.integer({ min: -1000, max: 1000 }), fc.constant(Number.NaN)), {
    minLength: 50,
    maxLength: 200,
  });
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 20 }), (ys, pixels) => {
      const view = { from: 1, to: ys.length, pixels };
      const [xs, drawn = []] = decimate([tableOf(ys).curve('y')], view);
      const finite = ys.filter((y) => !Number.isNaN(y));
      const kept = drawn.filter((y) => typeof y === 'number');
      expect(xs.length).toBe(drawn.length);
      expect(xs.length).toBeLessThanOrEqual(2 * (pixels + 2));
      expect(xs).toEqual([...xs].sort((a, b) => a - b));
      if (finite.length === 0) return expect(kept).toEqual([]);
      expect(Math.min(...kept)).toBe(Math.min(...finite));
      expect(Math.max(...kept)).toBe(Math.max(...finite));
      const width = (view.to - view.from) / pixels;
      for (const [slot, y] of drawn.entries()) {
        if (typeof y !== 'number') continue;
        const near = ys.some((value, i) => value === y && Math.abs(i + 1 - (xs[slot] ?? 0)) <= width);
        expect(near).toBe(true);
      }
    }),
    { seed: 7, numRuns: 60 },
  );
});

test('a hundred thousand points take a few milliseconds', () => {
  const table = tableOf(Array.from({ length: 100_000 }, (_, i) => Math.sin(i / 500) + (i % 17) / 40));
  const curves = [table.curve('y'), table.curve('y'), table.curve('y')];
  decimate(curves, { from: 1, to: 100_000, pixels: 800 });
  const started = performance.now();
  for (let i = 0; i < 10; i++) decimate(curves, { from: 1 + i, to: 100_000 - i, pixels: 800 });
  // Of a frame of 16 ms, also where several programs compete for the processor.
  expect((performance.now() - started) / 10).toBeLessThan(16);
});
