/**
 * The nearest known name to an unknown one, for "did you mean" in messages.
 *
 * Distance: optimal string alignment (Levenshtein with adjacent transpositions) on names folded to lower case without
 * `-`, `_`, `.` and spaces, so that `learning_rate` finds `learningRate`. Not a search: a handful of candidates.
 */

/** The candidate nearest to `name`, or undefined when none is near (about one mistake in three characters). */
export function didYouMean(name: string, candidates: Iterable<string>): string | undefined {
  const folded = fold(name);
  let best: string | undefined;
  let bestDistance = Math.floor(Math.max(folded.length, 3) / 3) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(folded, fold(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` Did you mean "x"?`, with the space before it, or nothing. */
export function didYouMeanHint(name: string, candidates: Iterable<string>): string {
  const near = didYouMean(name, candidates);
  return near === undefined ? '' : ` Did you mean ${JSON.stringify(near)}?`;
}

function fold(name: string): string {
  // Names are short; the cut keeps a hostile one from costing quadratic time.
  return name
    .slice(0, 64)
    .toLowerCase()
    .replace(/[-_.\s]/g, '');
}

function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      const substituted = (previous[j - 1] ?? 0) + cost;
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (beforePrevious[j - 2] ?? 0) + 1 : Infinity;
      row.push(Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, substituted, swapped));
    }
    beforePrevious = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}
