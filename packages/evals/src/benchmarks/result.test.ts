import { expect, test } from 'vitest';
import type { ItemScore } from './benchmark.ts';
import {
  type BenchmarkResult,
  compareResults,
  comparisonRows,
  parseResult,
  resultNotes,
  resultTable,
} from './result.ts';
import { summarise } from './summary.ts';

function result(values: readonly number[], other: Partial<BenchmarkResult> = {}): BenchmarkResult {
  const scores = values.map((value, i): ItemScore => ({ id: String(i), tag: i % 2 ? 'odd' : 'even', value }));
  return {
    benchmark: { name: 'small', version: '1', source: 'test' },
    mode: 'official',
    defects: [],
    judge: { name: 'eyes', version: '2' },
    model: { name: 'toy', version: '3', adapter: null, parameters: 1 },
    seed: 5,
    sampler: null,
    promptHash: 'abc',
    rewriter: null,
    items: values.length,
    imagesPerPrompt: { drawn: 1, official: 4 },
    imageFormat: 'png',
    of: null,
    contamination: null,
    unscored: [],
    summary: summarise({ items: scores }, 'tags'),
    scores,
    seconds: 1,
    ...other,
  };
}

test('prints no more digits than the standard error supports', () => {
  const values = Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? 1 : 0));
  const { summary } = result(values);
  if (!summary) throw new Error('no summary');
  const { rows, head } = resultTable(summary);
  expect(head).toEqual(['category', 'n', 'score', 'std. error', '95 % interval']);
  // A standard error of 7.6 points: one decimal.
  expect(rows.at(-1)?.slice(0, 3)).toEqual(['overall', '40', '35.0']);
  expect(rows.at(-1)?.[4]).toMatch(/^\[\d+\.\d, \d+\.\d\]$/);
  const rough = result([1, 0, 0, 1, 0, 0]).summary;
  // More than ten points: whole numbers.
  expect(rough && resultTable(rough).rows.at(-1)?.[2]).toBe('33');
});

test('says who judged, what is missing and what is left out', () => {
  const notes = resultNotes(
    result([1, 0], {
      of: 553,
      defects: [{ id: 'first-row', what: 'The first row is lost.' }],
      unscored: [
        { id: 'a', why: 'no reply' },
        { id: 'b', why: 'no reply' },
      ],
      contamination: { tests: 2, training: 9, shared: [{ test: 'x', training: 'X', match: 'normalised' }] },
    }),
  ).join('\n');
  for (const part of [
    'Judge: eyes 2. Seed 5',
    'Only 2 of 553',
    '1 images of each prompt; the protocol has 4',
    '(first-row)',
    'no reply (2)',
    '1 of 2 prompts are among the 9',
  ])
    expect(notes).toContain(part);
});

test('two results are compared item by item', () => {
  const before = Array.from({ length: 30 }, (_, i) => (i % 5 === 0 ? 1 : 0));
  const after = before.map((value, i) => (i % 3 === 0 ? 1 : value));
  const same = compareResults(result(before), result(before), { overall: 'tags' });
  expect(same.verdict).toMatchObject({ direction: 'open' });
  const better = compareResults(result(before), result(after), { overall: 'tags' });
  expect(better.verdict.direction).toBe('better');
  expect(better.overall.mean).toBeCloseTo(8 / 30, 12);
  expect(comparisonRows(better).rows.map(([name]) => name)).toEqual(['even', 'odd', 'overall']);
  expect(compareResults(result(after), result(before), { overall: 'items' }).verdict.direction).toBe('worse');
});

test('what does not measure the same is not compared', () => {
  expect(() => compareResults(result([1]), result([1], { mode: 'fixed', judge: null }), { overall: 'tags' })).toThrow(
    /GVU_BENCHMARK_RESULT.*modes are official and fixed; their judges are eyes 2 and none/,
  );
  expect(() => compareResults(result([]), result([1]), { overall: 'tags' })).toThrow(/share no item/);
});

test('a result is read again as it was; anything else is refused', () => {
  const one = result([1, 0, 1]);
  expect(parseResult(JSON.stringify(one), 'x')).toEqual(one);
  for (const text of ['', 'null', '{}', '{"benchmark":{},"mode":"official","scores":[{"id":1}]}'])
    expect(() => parseResult(text, 'result.json')).toThrow(/GVU_BENCHMARK_RESULT: 'result.json' holds no result/);
});
