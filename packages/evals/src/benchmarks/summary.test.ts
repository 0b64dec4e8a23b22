import { fillUniform, randomStream } from '@gvu/core';
import { describe, expect, test } from 'vitest';
import type { ItemScore } from './benchmark.ts';
import { summarise } from './summary.ts';

const seed = 20_260_714;
const items = (tag: string, values: readonly number[]): ItemScore[] =>
  values.map((value, i) => ({ id: `${tag}/${i}`, tag, value }));

test('the overall score is the mean of tags, or of items', () => {
  const all = [...items('a', [1, 0, 1, 0]), ...items('b', [0, 0, 0, 0, 0, 0, 0, 1])];
  expect(summarise({ items: all }, 'tags')?.overall).toMatchObject({ n: 12, value: 0.3125 });
  expect(summarise({ items: all }, 'items')?.overall).toMatchObject({ n: 12, value: 0.25 });
  expect(summarise({ items: [] }, 'tags')).toBeNull();
});

test('what all items agree on has the interval of as many right answers, and no standard error', () => {
  const summary = summarise({ items: [...items('all', [1, 1, 1, 1, 1, 1, 1, 1, 1, 1])] }, 'tags');
  expect(summary?.rows[0]).toMatchObject({ value: 1, standardError: null });
  expect(summary?.rows[0]?.interval?.[0]).toBeCloseTo(0.7225, 4);
  // Half points are no counts.
  expect(summarise({ items: items('half', [0.5, 0.5, 0.5]) }, 'tags')?.rows[0]?.interval).toBeNull();
});

test('intervals stay within what is possible', () => {
  const [row] = summarise({ items: items('a', [1, 1, 1, 0]) }, 'tags')?.rows ?? [];
  expect(row?.interval?.[1]).toBe(1);
});

describe('questions about one image', () => {
  test('are drawn together: as many copies of a question are worth one', () => {
    const values = [1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1];
    const copies = values.flatMap((value, i) =>
      [0, 1, 2, 3].map((copy) => ({ id: `${i}/${copy}`, tag: 'a', cluster: `image ${i}`, value })),
    );
    const [once, often] = [items('a', values), copies].map((list) => summarise({ items: list }, 'items')?.overall);
    expect(often?.value).toBeCloseTo(once?.value ?? 0, 12);
    expect((often?.standardError ?? 0) / (once?.standardError ?? 1)).toBeGreaterThan(0.9);
    expect((often?.standardError ?? 0) / (once?.standardError ?? 1)).toBeLessThan(1.1);
  });

  test('too few images have no interval', () => {
    const few = [1, 0, 1, 0].map((value, i) => ({ id: String(i), tag: 'a', cluster: String(i % 2), value }));
    expect(summarise({ items: few }, 'items')?.overall).toMatchObject({ standardError: null, interval: null });
  });
});

test(`a further number has the standard error that theory gives it (seed ${seed})`, () => {
  const draws = new Float32Array(400);
  fillUniform(draws, randomStream(seed, 'test/extra').at(0));
  const all = items(
    'a',
    [...draws].map((u) => (u < 0.3 ? 1 : 0)),
  );
  const share = (drawn: readonly number[]) => drawn.filter((i) => all[i]?.value === 1).length / drawn.length;
  const [row] = summarise({ items: all, extra: [{ name: 'share', of: share }] }, 'items')?.extra ?? [];
  const p = row?.value ?? 0;
  expect((row?.standardError ?? 0) / Math.sqrt((p * (1 - p)) / 400)).toBeCloseTo(1, 1);
  expect(row?.interval?.[0]).toBeLessThan(p);
  expect(row?.interval?.[1]).toBeGreaterThan(p);
});
