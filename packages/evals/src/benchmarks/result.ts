/**
 * The result of an evaluation: numbers with everything that they depend on, as plain JSON, and its text. Two results can be compared
 * only where what they measure is the same.
 */
import { isRecord, type JsonValue } from '@gvu/core';
import { type MeanEstimate, pairedBootstrap } from '../bootstrap.ts';
import { evalsErrors } from '../errors.ts';
import { verdictOf } from '../evaluations.ts';
import { decimalsOf, fixed, intervalText, type Scale, signed } from '../numbers.ts';
import type { TextTable } from '../score-table.ts';
import type { Defect, ItemScore, Mode } from './benchmark.ts';
import type { Contamination } from './contamination.ts';
import type { Summary, SummaryRow } from './summary.ts';

interface Named {
  readonly name: string;
  readonly version: string;
}

export interface BenchmarkResult {
  readonly benchmark: Named & { readonly source: string };
  readonly mode: Mode;
  /** Defects of the official scoring that are in these numbers. */
  readonly defects: readonly Defect[];
  /** Null: nothing was judged here. */
  readonly judge: Named | null;
  readonly model: Named & { readonly adapter: string | null; readonly parameters: number };
  readonly seed: number;
  /** What drawings were sampled with; null for answers, which take the likeliest token. */
  readonly sampler: JsonValue;
  /** Of all prompts or questions as the model was given them. */
  readonly promptHash: string;
  readonly rewriter: Named | null;
  readonly items: number;
  /** The official protocol's number; null for questions. */
  readonly imagesPerPrompt: { readonly drawn: number; readonly official: number } | null;
  readonly imageFormat: string | null;
  /** Items of the benchmark, if not all were used. */
  readonly of: number | null;
  readonly contamination: Contamination | null;
  readonly unscored: readonly { readonly id: string; readonly why: string }[];
  /** Null when there is no score. */
  readonly summary: Summary | null;
  /** By which results are compared. */
  readonly scores: readonly ItemScore[];
  readonly seconds: number;
}

/** A result as `JSON.stringify` wrote it; `source` names its file. Throws GVU_BENCHMARK_RESULT for anything else. */
export function parseResult(text: string, source: string): BenchmarkResult {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  // What compareResults looks at; the rest is for people.
  const whole =
    isRecord(value) &&
    isRecord(value.benchmark) &&
    typeof value.mode === 'string' &&
    Array.isArray(value.scores) &&
    value.scores.every(
      (item) =>
        isRecord(item) &&
        typeof item.id === 'string' &&
        typeof item.tag === 'string' &&
        typeof item.value === 'number' &&
        Number.isFinite(item.value),
    );
  if (whole) return value as unknown as BenchmarkResult; // its parts are checked above
  throw evalsErrors.error('GVU_BENCHMARK_RESULT', `'${source}' holds no result of a benchmark.`, {
    hint: 'Give the folder that `gvu evaluate` has written.',
  });
}

const points: Scale = { factor: 100, unit: ' points' };

/** The categories and the overall score, in points of a hundred, with no more digits than they support. */
export function resultTable({ rows, overall, extra, secondary }: Summary): TextTable {
  return {
    head: ['category', 'n', 'score', 'std. error', '95 % interval'],
    rows: [...rows, ...secondary, ...extra, overall].map(cells),
    total: true,
  };
}

function cells({ name, n, value, standardError, interval }: SummaryRow): string[] {
  const decimals = decimalsOf(standardError, { scale: points, n });
  return [
    name,
    String(n),
    fixed(value * 100, decimals),
    standardError === null ? '-' : fixed(standardError * 100, decimals),
    interval === null ? '-' : `[${interval.map((end) => fixed(end * 100, decimals)).join(', ')}]`,
  ];
}

/** What the reader should know of the numbers. */
export function resultNotes(result: BenchmarkResult): readonly string[] {
  const { benchmark, mode, defects, judge, model, seed, contamination, unscored, items, of, imagesPerPrompt } = result;
  const adapter = model.adapter === null ? '' : ` with ${model.adapter}`;
  const images = imagesPerPrompt && imagesPerPrompt.drawn !== imagesPerPrompt.official;
  return [
    `${benchmark.name} (${benchmark.source}, version ${benchmark.version}), mode ${mode}; n = items, scores in points of 100.`,
    `Model: ${model.name} ${model.version}${adapter}. Judge: ${judge ? `${judge.name} ${judge.version}` : 'none'}. Seed ${seed}, sampler ${JSON.stringify(result.sampler)}, prompts ${result.promptHash}${result.rewriter ? `, rewritten by ${result.rewriter.name} ${result.rewriter.version}` : ''}.`,
    ...defects.map(({ id, what }) => `As in the official script (${id}): ${what}`),
    ...(of === null ? [] : [`Only ${items} of ${of} items were used: not a result of the benchmark as published.`]),
    ...(images
      ? [`${imagesPerPrompt.drawn} images of each prompt; the protocol has ${imagesPerPrompt.official}.`]
      : []),
    ...(unscored.length === 0
      ? []
      : [`${unscored.length} items have no score and count in no mean: ${reasons(unscored)}.`]),
    ...(contamination ? [contaminationText(contamination)] : []),
  ];
}

function reasons(unscored: BenchmarkResult['unscored']): string {
  const byReason = new Map<string, number>();
  for (const { why } of unscored) byReason.set(why, (byReason.get(why) ?? 0) + 1);
  return [...byReason].map(([why, times]) => `${why} (${times})`).join(', ');
}

function contaminationText({ shared, tests, training }: Contamination): string {
  if (shared.length === 0) return `None of the ${tests} prompts is among the ${training} of training.`;
  const exact = shared.filter(({ match }) => match === 'exact').length;
  return `${shared.length} of ${tests} prompts are among the ${training} of training (${exact} exactly), such as ${JSON.stringify(shared[0]?.test)}: these scores do not measure generalisation.`;
}

export interface ResultComparison {
  /** Items with a score on both sides. */
  readonly n: number;
  readonly overall: MeanEstimate;
  readonly rows: readonly ({ readonly name: string } & MeanEstimate)[];
  readonly verdict: ReturnType<typeof verdictOf>;
}

/**
 * The second result minus the first, item by item: by the paired bootstrap, in which questions about one image are drawn together.
 * Throws GVU_BENCHMARK_RESULT when they are of different benchmarks, modes or judges, or share no item.
 */
export function compareResults(
  first: BenchmarkResult,
  second: BenchmarkResult,
  { overall: form }: { readonly overall: 'tags' | 'items' },
): ResultComparison {
  const different = [
    [
      'benchmarks',
      `${first.benchmark.name} ${first.benchmark.version}`,
      `${second.benchmark.name} ${second.benchmark.version}`,
    ],
    ['modes', first.mode, second.mode],
    ['judges', named(first.judge), named(second.judge)],
  ].filter(([, a, b]) => a !== b);
  const before = new Map(first.scores.map((item) => [item.id, item]));
  const pairs = second.scores.flatMap((after) => {
    const same = before.get(after.id);
    return same ? [{ tag: after.tag, cluster: after.cluster ?? after.id, difference: after.value - same.value }] : [];
  });
  const problems = different.map(([what, a, b]) => `their ${what} are ${a} and ${b}`);
  if (pairs.length === 0) problems.push('they share no item');
  if (problems.length > 0)
    throw evalsErrors.error('GVU_BENCHMARK_RESULT', `The results cannot be compared: ${problems.join('; ')}.`, {
      hint: 'Evaluate both models in the same way.',
    });
  const byTag = clusterMeans(pairs);
  const { overall, strata } = pairedBootstrap(byTag, { seed: 0 });
  const whole =
    form === 'tags'
      ? overall
      : pairedBootstrap(clusterMeans(pairs.map((pair) => ({ ...pair, tag: 'all' }))), { seed: 0 }).overall;
  return {
    n: pairs.length,
    overall: whole,
    rows: [...strata].map(([name, estimate]) => ({ name, ...estimate })),
    verdict: verdictOf(whole, points),
  };
}

/** One difference for each cluster of each tag. */
function clusterMeans(pairs: readonly { tag: string; cluster: string; difference: number }[]) {
  const byCluster = new Map<string, { stratum: string; values: number[] }>();
  for (const { tag, cluster, difference } of pairs) {
    const key = JSON.stringify([tag, cluster]);
    const entry = byCluster.get(key) ?? { stratum: tag, values: [] };
    byCluster.set(key, entry);
    entry.values.push(difference);
  }
  return [...byCluster.values()].map(({ stratum, values }) => {
    return { stratum, difference: values.reduce((sum, value) => sum + value, 0) / values.length };
  });
}

export function comparisonRows({ rows, overall }: ResultComparison): TextTable {
  return {
    head: ['category', 'n', 'difference', '95 % interval'],
    rows: [...rows, { name: 'overall', ...overall }].map(({ name, n, mean, standardError, interval }) => {
      const decimals = decimalsOf(standardError, { scale: points, n });
      return [name, String(n), signed(mean * 100, decimals), intervalText(interval, { scale: points, decimals })];
    }),
    total: true,
  };
}

function named(part: Named | null): string {
  return part ? `${part.name} ${part.version}` : 'none';
}
