import { toNumbers } from '@gvu/onnx';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inBatches } from './chunks.ts';
import { roundedLength, sequenceData } from './sequences.ts';

it('puts what is before an index on its left, and what comes after on its right', () => {
  const rows = [{ before: [7, 8], after: [9] }, { before: [1, 2, 3], after: [4, 5] }, { before: [6] }];
  const { ids, positions, real } = sequenceData(rows, { length: 3, afterLength: 2, padding: 0 });
  expect(ids.shape).toEqual([3, 5]);
  expect(toNumbers(ids)).toEqual([0, 7, 8, 9, 0, 1, 2, 3, 4, 5, 0, 0, 6, 0, 0]);
  expect(toNumbers(positions)).toEqual([0, 0, 1, 2, 3, 0, 1, 2, 3, 4, 0, 0, 0, 1, 2]);
  expect(toNumbers(real)).toEqual([0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1]);
});

it.each([
  [{ before: [1, 2, 3] }, { length: 2 }],
  [{ before: [1], after: [2] }, { length: 2 }],
])('refuses a row that does not fit: %o', (row, options) => {
  expect(() => sequenceData([row], { ...options, padding: 0 })).toThrowError(RangeError);
});

it('rounds lengths up to few values', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5000 }), (length) => {
      const rounded = roundedLength(length);
      expect(rounded).toBeGreaterThanOrEqual(Math.max(length, 1));
      expect(rounded - length).toBeLessThanOrEqual(16);
      expect(rounded % 16).toBe(0);
    }),
    { seed: 20261123 },
  );
});

it('batches keep the order, and come in sizes of 8, 4, 2 and 1', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer(), { maxLength: 40 }), async (items) => {
      const sizes: number[] = [];
      const found = await inBatches(items, (batch) => {
        sizes.push(batch.length);
        return Promise.resolve(batch.map((item) => item * 2));
      });
      expect(found).toEqual(items.map((item) => item * 2));
      expect(sizes.every((size) => [1, 2, 4, 8].includes(size))).toBe(true);
    }),
    { seed: 20261123 },
  );
});
