import { expect, test } from 'vitest';
import { curveOf, extent, nearestRow, smooth, valueAt } from './curves.ts';

const curve = curveOf([
  [2, 10],
  [4, 20],
  [8, 40],
]);

test('the nearest row, the earlier one of two; values only where there is a point', () => {
  expect([0, 2, 3, 3.1, 5, 6.5, 9].map((step) => nearestRow(curve, step))).toEqual([0, 0, 0, 1, 1, 2, 2]);
  expect(nearestRow(curveOf([]), 1)).toBe(-1);
  expect([valueAt(curve, 4), valueAt(curve, 5), valueAt(curveOf([]), 1)]).toEqual([20, Number.NaN, Number.NaN]);
});

test('smoothing keeps a constant, begins at the first value and passes over gaps', () => {
  const points = [3, 3, Number.NaN, 3].map((y, x) => [x, y] as const);
  expect([...smooth(curveOf(points), 0.9).ys].map((y) => Number(y.toFixed(12)))).toEqual([3, 3, Number.NaN, 3]);
  const [first, second] = smooth(
    curveOf([
      [0, 0],
      [1, 1],
    ]),
    0.5,
  ).ys; // prettier as one line
  expect([first, second]).toEqual([0, 2 / 3]);
  expect([...smooth(curve, 0).ys]).toEqual([10, 20, 40]);
});

test('the extent of several, never empty', () => {
  expect(extent([curve, curveOf([[9, 0]])])).toEqual([2, 9]);
  expect(extent([curveOf([[5, 0]])])).toEqual([4, 6]);
  expect(extent([curveOf([])])).toBeUndefined();
});
