/** Batches of a few fixed sizes, since each size needs a program of its own; and what of a batch needs to be computed once only. */

/** The most rows of one run. */
export const largestBatch = 8;

/** Runs over items in order, in batches of 8, 4, 2 and 1: as large as what is left allows. */
export async function inBatches<T, R>(
  items: readonly T[],
  run: (batch: readonly T[]) => Promise<readonly R[]>,
): Promise<readonly R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; ) {
    const left = items.length - from;
    const size = Math.min(largestBatch, 2 ** Math.floor(Math.log2(left)));
    results.push(...(await run(items.slice(from, from + size))));
    from += size;
  }
  return results;
}

/**
 * The different ones among as many sequences as a batch has, as few as a batch may have, and for each sequence the index of its own.
 * Where that saves nothing, the sequences themselves, without indices. The last one stands where there are none left.
 */
export function sharedRows(rows: readonly (readonly number[])[]): {
  readonly shared: readonly (readonly number[])[];
  readonly indices?: readonly number[];
} {
  const places = new Map<string, number>();
  const different = rows.filter((row) => {
    const key = row.join();
    return places.has(key) ? false : places.set(key, places.size);
  });
  const count = 2 ** Math.ceil(Math.log2(different.length));
  if (count >= rows.length) return { shared: rows };
  const last = different.at(-1) ?? [];
  return {
    shared: Array.from({ length: count }, (_, i) => different[i] ?? last),
    indices: rows.map((row) => places.get(row.join()) ?? 0),
  };
}
