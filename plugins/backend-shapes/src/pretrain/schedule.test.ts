import { expect, it } from 'vitest';
import { learningRateAt } from './schedule.ts';

const schedule = { peak: 2, steps: 100, warmup: 10, fall: 0.5 };

it('rises, stays, and falls to zero', () => {
  expect([0, 4, 9, 10, 49, 50, 75, 99, 100].map((step) => learningRateAt(schedule, step))).toEqual([
    0.2, 1, 2, 2, 2, 2, 1, 0.04, 0,
  ]);
});

it('stays when there is no fall, and starts at the peak without a rise', () => {
  const flat = { ...schedule, warmup: 0, fall: 0 };
  expect([0, 50, 99].map((step) => learningRateAt(flat, step))).toEqual([2, 2, 2]);
});
