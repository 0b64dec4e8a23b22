import { describe, expect, it } from 'vitest';
import { tinyConfig } from '../../test/tiny-model.ts';
import { tokenIds } from './config.ts';
import { drawingSequences, readingSequences } from './sequences.ts';

const ids = tokenIds(tinyConfig);
const { begin, end, pad } = ids.words;
const numbers = (values: ArrayLike<number | bigint>) => Array.from(values, Number);

describe('drawingSequences', () => {
  it('pads on the left and counts positions from the first token', () => {
    const rows = [
      { prompt: [7, 8], codes: [0, 3] },
      { prompt: [9, 10, 11], codes: [1, 2] },
    ];
    const { ids: table, positions, real } = drawingSequences(ids, rows, { promptLength: 3 });
    expect(table.shape).toEqual([2, 7]);
    expect(numbers(table.data)).toEqual([
      ...[pad, begin, 7, 8, ids.beginImage, ids.firstCode, ids.firstCode + 3],
      ...[begin, 9, 10, 11, ids.beginImage, ids.firstCode + 1, ids.firstCode + 2],
    ]);
    expect(numbers(positions.data)).toEqual([0, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 6]);
    expect(numbers(real.data)).toEqual([0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
  });

  it('keeps the last words of a prompt that is too long', () => {
    const { ids: table } = drawingSequences(ids, [{ prompt: [7, 8, 9] }], { promptLength: 2 });
    expect(numbers(table.data)).toEqual([begin, 8, 9, ids.beginImage]);
  });
});

describe('readingSequences', () => {
  const codes = Array(16).fill(2);

  it('asks for answers and their ends, and for nothing of the instructions', () => {
    const rows = [
      {
        codes,
        texts: [
          { instruction: [5], answer: [6, 7] },
          { instruction: [9, 10], answer: [11] },
        ],
      },
      { codes, texts: [{ instruction: [5, 6], answer: [8] }] },
    ];
    const { ids: table, positions, segments, targets } = readingSequences(ids, rows, { textLength: 6 });
    expect(table.shape).toEqual([2, 24]);
    expect(numbers(table.data.slice(0, 3))).toEqual([begin, ids.beginImage, ids.firstCode + 2]);
    expect(numbers(table.data.slice(18, 24))).toEqual([5, 6, 7, 9, 10, 11]);
    expect(numbers(positions.data.slice(16, 24))).toEqual([16, 17, 18, 19, 20, 18, 19, 20]);
    expect(numbers(segments.data.slice(16, 24))).toEqual([0, 0, 1, 1, 1, 2, 2, 2]);
    expect(numbers(table.data.slice(42))).toEqual([5, 6, 8, pad, pad, pad]);
    expect(numbers(segments.data.slice(40))).toEqual([0, 0, 1, 1, 1, -1, -1, -1]);
    expect(numbers(targets.data)).toEqual([6, 7, end, -1, 11, end, -1, 8, end, -1, -1, -1]);
  });

  it('refuses texts that do not fit', () => {
    const text = { instruction: [5], answer: [6, 7] };
    const rows = [{ codes, texts: [text, text] }];
    expect(() => readingSequences(ids, rows, { textLength: 5 })).toThrow(RangeError);
  });
});
