import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inBatches, sharedRows } from './chunks.ts';

const seed = 1;

describe('sharing rows', () => {
  it('keeps one of a group', () => {
    const row = [1, 2, 3];
    expect(sharedRows(new Array(8).fill(row))).toEqual({ shared: [row], indices: new Array(8).fill(0) });
  });

  it('keeps as many as a batch may have, the last one repeated', () => {
    const [a, b, c] = [[1], [1, 2], [12]];
    expect(sharedRows([a, a, b, b, c, c, a, c])).toEqual({ shared: [a, b, c, c], indices: [0, 0, 1, 1, 2, 2, 0, 2] });
  });

  it('leaves rows alone where nothing is saved', () => {
    const rows = [[1], [2], [3], [1]];
    expect(sharedRows(rows)).toEqual({ shared: rows });
    expect(sharedRows([[]])).toEqual({ shared: [[]] });
  });

  it(`finds each row again (seed ${seed})`, () => {
    const rows = fc.array(fc.array(fc.nat(3), { maxLength: 2 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(rows, (given) => {
        const { shared, indices = [...given.keys()] } = sharedRows(given);
        expect(indices.map((index) => shared[index])).toEqual(given);
        expect(Number.isInteger(Math.log2(shared.length)) || shared === given).toBe(true);
      }),
      { seed },
    );
  });
});

it('takes batches as large as what is left allows, in order', async () => {
  const sizes: number[] = [];
  const items = Array.from({ length: 23 }, (_, i) => i);
  const results = await inBatches(items, async (batch) => {
    sizes.push(batch.length);
    return batch;
  });
  expect(sizes).toEqual([8, 8, 4, 2, 1]);
  expect(results).toEqual(items);
});
