import { describe, expect, test } from 'vitest';
import { brief, decimalsOf, duration, fixed, intervalText, scaleOf, signed } from './numbers.ts';

const points = { factor: 100, unit: ' points' };

describe('digits', () => {
  test.each([
    [0.12, 0],
    [0.099, 1],
    [0.021, 1],
    [0.005, 2],
    [0.0000001, 4],
    [3, 0],
  ])('a standard error of %d supports %d decimals of points', (error, decimals) => {
    expect(decimalsOf(error, { scale: points, n: 10 })).toBe(decimals);
  });

  test('without an error, what n judgements can tell', () => {
    expect(decimalsOf(null, { scale: points, n: 4 })).toBe(0);
    expect(decimalsOf(null, { scale: points, n: 1000 })).toBe(1);
    expect(decimalsOf(null, { scale: { factor: 1, unit: '' }, n: 0 })).toBe(1);
  });
});

test('signs', () => {
  expect([0.04, -0.04, 0, -2.25, null, Number.NaN].map((x) => signed(x, 1))).toEqual([
    '+0.0',
    '-0.0',
    '0.0',
    '-2.3',
    '-',
    '-',
  ]);
  expect([-0.04, 3, null].map((x) => fixed(x, 1))).toEqual(['0.0', '3.0', '-']);
  expect(intervalText([-0.01, 0.2], { scale: points, decimals: 0 })).toBe('[-1, +20]');
  expect(intervalText(null, { scale: points, decimals: 0 })).toBe('-');
});

test('points are for scores from 0 to 1 only', () => {
  expect(scaleOf([0, 0.5, 1]).factor).toBe(100);
  expect(scaleOf([0, -0.1]).factor).toBe(1);
});

test('brief numbers', () => {
  expect([0, 0.000123, 0.12345, -12345, 1234567, 1e-9, null, Number.POSITIVE_INFINITY].map(brief)).toEqual([
    '0',
    '1.23e-4',
    '0.123',
    '-12300',
    '1.23e6',
    '1.00e-9',
    '-',
    '-',
  ]);
});

test('durations', () => {
  expect([0, 9.96, 59.4, 59.6, 552, 3661, null].map(duration)).toEqual([
    '0.0 s',
    '10.0 s',
    '59 s',
    '1 min 0 s',
    '9 min 12 s',
    '1 h 1 min',
    'unknown time',
  ]);
});
