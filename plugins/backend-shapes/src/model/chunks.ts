/**
 * Work in batches of a few fixed sizes: a program is made for each size that occurs, so any number of rows must not make one of
 * its own. The last batch is filled up by its last row, of which the extra results are dropped.
 */

/**
 * Runs over items in order. A batch has the smallest of `sizes` (ascending) that holds all that is left, or the largest. `run` gets the
 * batch filled up, and the index of its first item.
 */
export async function inChunks<T, R>(
  items: readonly T[],
  sizes: readonly number[],
  run: (batch: readonly T[], from: number) => Promise<readonly R[]>,
): Promise<R[]> {
  const results: R[] = [];
  while (results.length < items.length) {
    const from = results.length;
    const left = items.length - from;
    const size = sizes.find((candidate) => candidate >= left) ?? sizes.at(-1) ?? left;
    const batch = items.slice(from, from + size);
    const last = batch.slice(-1);
    const filled = [...batch, ...Array.from({ length: size - batch.length }, () => last).flat()];
    results.push(...(await run(filled, from)).slice(0, batch.length));
  }
  return results;
}
