/** Batches of a few fixed sizes, since each size needs a program of its own. */

/** The most rows of one run. */
const largest = 8;

/** Runs over items in order, in batches of 8, 4, 2 and 1: as large as what is left allows. */
export async function inBatches<T, R>(
  items: readonly T[],
  run: (batch: readonly T[]) => Promise<readonly R[]>,
): Promise<readonly R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; ) {
    const left = items.length - from;
    const size = Math.min(largest, 2 ** Math.floor(Math.log2(left)));
    results.push(...(await run(items.slice(from, from + size))));
    from += size;
  }
  return results;
}
