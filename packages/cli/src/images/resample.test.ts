import type { Pixels } from '@gvu/models';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { centreCrop, enlarge, fitTo, padTo, resizeArea } from './resample.ts';

const seed = 20_260_301;

const image = fc
  .record({ width: fc.integer({ min: 1, max: 12 }), height: fc.integer({ min: 1, max: 12 }) })
  .chain(({ width, height }) =>
    fc
      .uint8Array({ minLength: 3 * width * height, maxLength: 3 * width * height })
      .map((data): Pixels => ({ width, height, data })),
  );

const grey = (width: number, values: readonly number[]): Pixels => ({
  width,
  height: values.length / width,
  data: Uint8Array.from(values.flatMap((value) => [value, value, value])),
});

describe('enlarging and shrinking', () => {
  test('gives every byte back, by any factor', () => {
    fc.assert(
      fc.property(image, fc.integer({ min: 1, max: 9 }), (small, factor) => {
        const big = enlarge(small, factor);
        expect(big.data).toHaveLength(3 * small.width * small.height * factor ** 2);
        expect(fitTo(big, small)).toEqual(small);
      }),
      { seed },
    );
  });

  test('repeats pixels', () => {
    expect(enlarge(grey(2, [1, 2]), 2)).toEqual(grey(4, [1, 1, 2, 2, 1, 1, 2, 2]));
  });
});

describe('averaging', () => {
  test('weighs pixels by what is covered of them', () => {
    // Three pixels on two: the middle one belongs half to each.
    expect(resizeArea(grey(3, [0, 90, 240]), { width: 2, height: 1 })).toEqual(grey(2, [30, 190]));
    // Two on three: the middle one covers half of each.
    expect(resizeArea(grey(2, [0, 100]), { width: 3, height: 1 })).toEqual(grey(3, [0, 50, 100]));
    expect(resizeArea(grey(2, [0, 10, 20, 40]), { width: 1, height: 1 })).toEqual(grey(1, [18]));
  });

  test('stays within the range of the image, and keeps one colour', () => {
    fc.assert(
      fc.property(image, fc.integer({ min: 1, max: 15 }), fc.integer({ min: 1, max: 15 }), (from, width, height) => {
        const { data } = resizeArea(from, { width, height });
        expect(data).toHaveLength(3 * width * height);
        expect(Math.min(...data)).toBeGreaterThanOrEqual(Math.min(...from.data));
        expect(Math.max(...data)).toBeLessThanOrEqual(Math.max(...from.data));
      }),
      { seed },
    );
  });
});

describe('padding', () => {
  test('keeps the whole image, in the middle of grey', () => {
    expect(padTo(grey(4, [1, 2, 3, 4, 5, 6, 7, 8]), { width: 4, height: 4 })).toEqual(
      grey(4, [127, 127, 127, 127, 1, 2, 3, 4, 5, 6, 7, 8, 127, 127, 127, 127]),
    );
    expect(padTo(grey(1, [10, 30]), { width: 1, height: 1 })).toMatchObject({ width: 1, height: 1 });
    expect(padTo(grey(2, [1, 2, 3, 4]), { width: 2, height: 2 })).toEqual(grey(2, [1, 2, 3, 4]));
  });
});

describe('cropping', () => {
  test('takes the largest part in the middle', () => {
    expect(centreCrop(grey(4, [1, 2, 3, 4, 5, 6, 7, 8]), { width: 32, height: 32 })).toEqual(grey(2, [2, 3, 6, 7]));
    expect(centreCrop(grey(1, [1, 2, 3, 4, 5]), { width: 8, height: 8 })).toEqual(grey(1, [3]));
  });

  test('keeps other shapes than squares', () => {
    const { width, height } = centreCrop(
      grey(
        6,
        Array.from({ length: 36 }, (_, i) => i),
      ),
      { width: 3, height: 1 },
    );
    expect([width, height]).toEqual([6, 2]);
  });

  test('never leaves less than a pixel', () => {
    expect(centreCrop(grey(1, [9]), { width: 1000, height: 1 })).toEqual(grey(1, [9]));
  });
});
