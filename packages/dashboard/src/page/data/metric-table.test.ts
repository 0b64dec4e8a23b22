import { expect, test } from 'vitest';
import { Branches } from './branches.ts';
import { MetricTable } from './metric-table.ts';

const rows = (table: MetricTable, name: string) => {
  const { xs, ys, length } = table.curve(name);
  return Array.from({ length }, (_, i) => [xs[i], ys[i]]);
};

test('rows come in any order, and the one logged last counts', () => {
  const table = new MetricTable();
  table.put({ seq: 3, step: 3 }, { a: 3 });
  table.put({ seq: 1, step: 1 }, { a: 1, b: 10 });
  table.put({ seq: 2, step: 2 }, { a: 2, b: null });
  table.put({ seq: 9, step: 2 }, { a: 22 });
  table.put({ seq: 4, step: 2 }, { a: 0 });
  expect(rows(table, 'a')).toEqual([
    [1, 1],
    [2, 22],
    [3, 3],
  ]);
  expect(rows(table, 'b')).toEqual([
    [1, 10],
    [2, Number.NaN],
    [3, Number.NaN],
  ]);
  expect([table.first('a'), table.last('a'), table.last('b'), table.last('none')]).toEqual([
    1,
    3,
    undefined,
    undefined,
  ]);
});

test('it grows, and a new name has nothing before', () => {
  const table = new MetricTable();
  for (let i = 1; i <= 1000; i++) table.put({ seq: i, step: i }, i === 1000 ? { a: i, late: 7 } : { a: i });
  expect(rows(table, 'a')).toEqual(Array.from({ length: 1000 }, (_, i) => [i + 1, i + 1]));
  expect(
    table
      .curve('late')
      .ys.subarray(0, 1000)
      .findIndex((y) => y === 7),
  ).toBe(999);
});

test('steps of a branch that was given up are dropped, before and after the word of it', () => {
  const branches = new Branches();
  const table = new MetricTable();
  for (let i = 1; i <= 5; i++) table.put({ seq: i, step: i }, { a: i });
  branches.add({ seq: 6, step: 3 });
  table.keep((row) => branches.counts(row));
  expect(rows(table, 'a').map(([step]) => step)).toEqual([1, 2, 3]);
  expect(branches.counts({ seq: 5, step: 4 })).toBe(false);
  expect(branches.counts({ seq: 7, step: 4 })).toBe(true);
  expect(branches.counts({ seq: 2, step: 3 })).toBe(true);
});
