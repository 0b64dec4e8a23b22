/**
 * Work in batches of a few fixed sizes: a program is made for each size that occurs, so any number of rows must not make one of
 * its own. The last batch is filled up by its last row, of which the extra results are dropped.
 */

/**
 * Runs over items in order. A batch has the largest of `sizes` (ascending) that is not more than what is left, or the smallest. `run`
 * gets the batch filled up, and the index of its first item.
 */
export async function inChunks<T, R>(
  items: readonly T[],
  sizes: readonly [number, ...number[]],
  run: (batch: readonly T[], from: number) => Promise<readonly R[]>,
): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; ) {
    const left = items.length - from;
    const size = sizes.findLast((candidate) => candidate <= left) ?? sizes[0];
    const batch = items.slice(from, from + size);
    const last = batch.slice(-1);
    const filled = [...batch, ...Array.from({ length: size - batch.length }, () => last).flat()];
    results.push(...(await run(filled, from)).slice(0, batch.length));
    from += size;
  }
  return results;
}
