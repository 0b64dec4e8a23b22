import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tagBalance } from '../../test/tag-balance.ts';
import { lineChart, ticks } from './line-chart.ts';

const seed = 20260704;
const curve = (values: readonly (number | null)[]) => values.map((value, i) => ({ step: i + 1, value }));
const chart = (...values: (number | null)[][]) =>
  lineChart({
    title: 'A & B',
    unit: '<nats>',
    series: values.map((list, i) => ({ name: `s"${i}`, curve: curve(list) })),
  }).text;

test('a gap in the numbers is a gap in the line, and a lone number is a dot', () => {
  const page = chart([1, 2, null, 3, null]);
  expect(page.match(/ d="([^"]*)"/)?.[1]?.match(/[ML]/g)).toEqual(['M', 'L', 'M']);
  expect(page.match(/<circle/g)).toHaveLength(3);
});

test('is described in words, escaped, with a legend from two lines on', () => {
  const page = chart([0.5, 0.75], [3, 4]);
  expect(tagBalance(page)).toEqual([]);
  expect(page).toContain('<title>A &amp; B</title>');
  expect(page).toContain('<desc>s&quot;0: 0.5 at step 1, 0.75 at step 2. s&quot;1: 3 at step 1, 4 at step 2.</desc>');
  expect(page.match(/<li>/g)).toHaveLength(2);
  expect(chart([0.5, 0.75])).not.toContain('<li>');
});

test('nothing comes of no numbers', () => {
  expect(chart([])).toBe('');
  expect(chart([null, null])).toBe('');
  expect(chart()).toBe('');
});

test(`all that is drawn lies within the frame (seed ${seed})`, () => {
  const value = fc.oneof(fc.constant(null), fc.double({ min: -1e12, max: 1e12, noNaN: true }), fc.constant(1e-300));
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 8 }), (values) => {
      const page = chart(values);
      expect(page).not.toMatch(/NaN|Infinity/);
      for (const [, x, y] of page.matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)) {
        expect(Number(x)).toBeGreaterThanOrEqual(48);
        expect(Number(x)).toBeLessThanOrEqual(342);
        expect(Number(y)).toBeGreaterThanOrEqual(12);
        expect(Number(y)).toBeLessThanOrEqual(188);
      }
    }),
    { seed },
  );
});

test('ticks are round and few', () => {
  expect(ticks([0.43, 0.69], 5)).toEqual([0.45, 0.5, 0.55, 0.6, 0.65]);
  expect(ticks([-1, 301], 6)).toEqual([0, 100, 200, 300]);
  expect(ticks([0, 1], 6)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
});
