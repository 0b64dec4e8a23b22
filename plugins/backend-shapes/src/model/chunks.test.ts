import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inChunks } from './chunks.ts';

it('runs over all items in order, in batches of the given sizes, the last one filled up', async () => {
  const sizes = [4, 16];
  await fc.assert(
    fc.asyncProperty(fc.nat(70), async (length) => {
      const items = Array.from({ length }, (_, i) => i);
      const batches: (readonly number[])[] = [];
      const results = await inChunks(items, sizes, async (batch, from) => {
        expect(batch[0]).toBe(from);
        batches.push(batch);
        return batch.map((item) => 2 * item);
      });
      expect(results).toEqual(items.map((item) => 2 * item));
      expect(batches.every((batch) => sizes.includes(batch.length))).toBe(true);
      const whole = Math.floor(length / 16);
      expect(batches.slice(0, whole).every((batch) => batch.length === 16)).toBe(true);
      const left = length - 16 * whole;
      const last = left === 0 ? [] : [left <= 4 ? 4 : 16];
      expect(batches.slice(whole).map((batch) => batch.length)).toEqual(last);
      if (left > 0) expect(new Set(batches.at(-1)?.slice(left - 1))).toEqual(new Set([length - 1]));
    }),
    { seed: 20261123, numRuns: 60 },
  );
});
