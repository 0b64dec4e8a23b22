/**
 * From scores of items to what may be said of them: means with standard errors and 95 % intervals, by category and overall.
 *
 * Items are what is drawn anew in the bootstrap: a prompt with all of its images, or all questions about one image where a benchmark asks
 * several. Where all items of a category agree, the bootstrap has nothing to say, and the interval is Wilson's for as many right answers.
 */
import { fillIntegers, randomStream } from '@gvu/core';
import { type Interval, type MeanEstimate, pairedBootstrap } from '../bootstrap.ts';
import { wilsonInterval } from '../proportion.ts';
import type { ExtraMetric, ItemScore, Scores } from './benchmark.ts';

export interface SummaryRow {
  readonly name: string;
  /** Items. */
  readonly n: number;
  /** 0 to 1. */
  readonly value: number;
  readonly standardError: number | null;
  readonly interval: Interval | null;
}

export interface Summary {
  readonly overall: SummaryRow;
  readonly rows: readonly SummaryRow[];
  readonly secondary: readonly SummaryRow[];
  readonly extra: readonly SummaryRow[];
}

/** Makes intervals the same each time: they belong to the numbers, not to a seed. */
const bootstrapSeed = 0;
const resamples = 1000;

/** Null when no item has a score. */
export function summarise(
  { items, secondary = [], extra = [] }: Omit<Scores, 'unscored' | 'records'>,
  overall: 'tags' | 'items',
): Summary | null {
  if (items.length === 0) return null;
  const rows = means(items);
  const [single] = rows;
  const whole = overall === 'tags' ? stratified(items) : means(items.map((item) => ({ ...item, tag: 'overall' })))[0];
  return {
    overall: rows.length === 1 && single ? { ...single, name: 'overall' } : (whole ?? stratified(items)),
    rows,
    secondary: means(secondary),
    extra: extra.map((metric) => extraRow(items, metric)),
  };
}

/** A row for each tag, in the order in which they first occur. */
function means(items: readonly ItemScore[]): readonly SummaryRow[] {
  const byTag = new Map<string, ItemScore[]>();
  for (const item of items) {
    const own = byTag.get(item.tag);
    if (own) own.push(item);
    else byTag.set(item.tag, [item]);
  }
  return [...byTag].map(([name, own]) => {
    const value = own.reduce((sum, item) => sum + item.value, 0) / own.length;
    const clustered = clustersOf(own);
    if (clustered.length < own.length) {
      const share = (drawn: readonly number[]) =>
        drawn.reduce((sum, i) => sum + (own[i]?.value ?? 0), 0) / drawn.length;
      return { name, n: own.length, value, ...resampled(clustered, share) };
    }
    const { overall } = pairedBootstrap(
      own.map((item) => ({ stratum: name, difference: item.value })),
      { seed: bootstrapSeed, resamples },
    );
    return { name, n: own.length, value, ...uncertainty(overall, own) };
  });
}

/** The mean of the tags' means. */
function stratified(items: readonly ItemScore[]): SummaryRow {
  const clustered = clustersOf(items);
  if (clustered.length < items.length) return extraRow(items, { name: 'overall', of: meanOfTags(items) });
  const { overall } = pairedBootstrap(
    items.map(({ tag, value }) => ({ stratum: tag, difference: value })),
    { seed: bootstrapSeed, resamples },
  );
  return { name: 'overall', n: items.length, value: overall.mean, ...uncertainty(overall, items) };
}

function meanOfTags(items: readonly ItemScore[]) {
  return (drawn: readonly number[]) => {
    const sums = new Map<string, { sum: number; n: number }>();
    for (const i of drawn) {
      const { tag = '', value = 0 } = items[i] ?? {};
      const entry = sums.get(tag) ?? { sum: 0, n: 0 };
      sums.set(tag, { sum: entry.sum + value, n: entry.n + 1 });
    }
    const shares = [...sums.values()].map(({ sum, n }) => sum / n);
    return shares.reduce((sum, share) => sum + share, 0) / shares.length;
  };
}

function extraRow(items: readonly ItemScore[], { name, of }: ExtraMetric): SummaryRow {
  const all = items.map((_, i) => i);
  return { name, n: items.length, value: of(all), ...resampled(clustersOf(items), of) };
}

type Uncertainty = Pick<SummaryRow, 'standardError' | 'interval'>;

function uncertainty({ standardError, interval }: MeanEstimate, items: readonly ItemScore[]): Uncertainty {
  if (interval !== null) return { standardError, interval: [Math.max(0, interval[0]), Math.min(1, interval[1])] };
  const agree =
    items.every(({ value }) => value === items[0]?.value) && (items[0]?.value === 0 || items[0]?.value === 1);
  return { standardError: null, interval: agree ? wilson(items) : null };
}

function wilson(items: readonly ItemScore[]): Interval {
  return wilsonInterval({ correct: items[0]?.value === 1 ? items.length : 0, n: items.length });
}

/** Indices of the items of each cluster. */
function clustersOf(items: readonly ItemScore[]): readonly (readonly number[])[] {
  const byCluster = new Map<string, number[]>();
  for (const [i, { id, cluster }] of items.entries()) {
    const key = cluster ?? `item ${id}`;
    const own = byCluster.get(key);
    if (own) own.push(i);
    else byCluster.set(key, [i]);
  }
  return [...byCluster.values()];
}

/** Few clusters say nothing of how they spread. */
const fewestClusters = 5;

/** The percentile bootstrap over clusters, of which one fewer is drawn than there are (Rao and Wu, 1988). */
function resampled(
  clusters: readonly (readonly number[])[],
  statistic: (drawn: readonly number[]) => number,
): Uncertainty {
  if (clusters.length < fewestClusters) return { standardError: null, interval: null };
  const size = clusters.length - 1;
  const indices = new Int32Array(size);
  const stream = randomStream(bootstrapSeed, 'evals/benchmark-bootstrap');
  const values = Float64Array.from({ length: resamples }, (_, r) => {
    fillIntegers(indices, stream.at(r), { low: 0, high: clusters.length });
    return statistic([...indices].flatMap((i) => clusters[i] ?? []));
  }).sort();
  const mean = values.reduce((sum, value) => sum + value, 0) / resamples;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (resamples - 1);
  if (!(variance > 0)) return { standardError: null, interval: null };
  const at = (share: number) => values[Math.round(share * (resamples - 1))] ?? mean;
  return { standardError: Math.sqrt(variance), interval: [at(0.025), at(0.975)] };
}
