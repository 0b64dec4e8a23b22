/** The paper's tables of scores by category. */
import type { MeanEstimate } from '../bootstrap.ts';
import { pairLevel } from '../compare/comparison.ts';
import type { Scale } from '../numbers.ts';
import { type IntervalRow, intervalChart } from '../report/interval-chart.ts';
import { changeOf, differenceOf, folders, levelOf, scaleFor } from './estimates.ts';
import { type ArmRuns, nameOf, type Reproduction, type ScoreGroup } from './reproduction.ts';
import { type Cell, claim, levelValue, resultValue, type Section } from './section.ts';

/** The arms of the main tables: the method, its control and its baseline, from each base. */
export function mainArms({ arms }: Reproduction): readonly ArmRuns[] {
  return arms.filter(({ role }) => role === 'method' || role === 'control' || role === 'baseline');
}

/** Name of the reward whose mean is the score. */
export function scoreName({ arms }: Reproduction): string {
  return arms[0]?.runs[0]?.record.evaluations[0]?.score ?? '';
}

/** Tables 1 and 3: every category, before training and after. */
export function scoreSection(reproduction: Reproduction, group: ScoreGroup): Section {
  const score = scoreName(reproduction);
  const arms = mainArms(reproduction);
  const { tags } = group;
  const bases = [...new Set(arms.map(({ base }) => base))];
  const columns = bases.flatMap((base) => {
    const own = arms.filter((arm) => arm.base === base);
    const [first] = own;
    if (!first) return [];
    const scale = scaleFor(first.runs, score);
    const before = levelOf(first.runs, 'before', { score, tags });
    const start = {
      head: `${base} base`,
      cell: (tag: string | null) =>
        levelValue(tag === null ? before.overall : before.strata.get(tag), { scale, runs: folders(first.runs) }),
    };
    const trained = own.map((arm) => {
      const { runs } = arm;
      const [after, change] = [levelOf(runs, 'after', { score, tags }), changeOf(runs, { score, tags })];
      return {
        head: nameOf(arm),
        cell: (tag: string | null) =>
          resultValue(
            tag === null ? after.overall : after.strata.get(tag),
            tag === null ? change.overall : change.strata.get(tag),
            { scale, runs: folders(runs) },
          ),
      };
    });
    return [start, ...trained];
  });
  const [reference] = arms;
  const counted = reference ? levelOf(reference.runs, 'before', { score, tags }) : undefined;
  const known = tags.filter((tag) => counted?.strata.has(tag));
  const row = (tag: string | null, n: number): readonly Cell[] => [
    tag ?? 'overall',
    String(n),
    ...columns.map(({ cell }) => cell(tag)),
  ];
  return {
    title: `${group.title} by category`,
    mirrors: `${group.paper} of the paper: ${group.title}, by category, of published models, of its base and of GvU.`,
    adds: 'A second base, a control with a random reward and an image-level baseline under the same training; several seeds; intervals; the number of prompts.',
    seen: arms.length === 0 ? [] : scoreFindings(arms, { score, group }),
    tables: [
      {
        title: `${group.title}: score by ${score}, in points of 100`,
        head: ['category', 'n', ...columns.map(({ head }) => head)],
        rows: [...known.map((tag) => row(tag, counted?.strata.get(tag)?.n ?? 0)), row(null, counted?.overall.n ?? 0)],
        total: true,
        note: 'n = held-out prompts. Bases: score with its interval over prompts. Trained: the score, and in brackets its change with the interval over prompts and seeds, crossed. Intervals are 95 %, each for itself; none can be given for fewer than three prompts, nor where all prompts changed alike. Overall: the mean of the categories.',
      },
    ],
    figures: [
      intervalChart({
        title: `Change of ${group.title} by training`,
        unit: 'points',
        rows: arms.map((arm): IntervalRow => {
          const { overall } = changeOf(arm.runs, { score, tags });
          return intervalRow({ label: nameOf(arm), series: group.title }, overall, scaleFor(arm.runs, score));
        }),
      }),
    ],
  };
}

function scoreFindings(arms: readonly ArmRuns[], { score, group }: { score: string; group: ScoreGroup }): string[] {
  const { tags, title } = group;
  const [first] = arms;
  const scale = scaleFor(first?.runs ?? [], score);
  const own = arms.map((arm) =>
    claim(`${nameOf(arm)}: ${title}`, changeOf(arm.runs, { score, tags }).overall, { scale }),
  );
  const rivals = arms.flatMap((method) =>
    method.role !== 'method'
      ? []
      : arms.filter((arm) => arm.base === method.base && arm !== method).map((arm) => ({ method, arm })),
  );
  const level = pairLevel(rivals.length);
  const pairs = rivals.map(({ method, arm }) =>
    claim(
      `${title}: ${nameOf(method)} against ${nameOf(arm)}`,
      differenceOf(method.runs, arm.runs, { score, tags, level }).overall,
      { scale, words: { above: 'ends higher', below: 'ends lower', open: 'cannot be told apart at the end' } },
    ),
  );
  const categories = arms
    .filter(({ role }) => role === 'method')
    .map((arm) => {
      const { strata } = changeOf(arm.runs, { score, tags });
      const names = (side: 'above' | 'below') =>
        [...strata].flatMap(([tag, { interval }]) =>
          interval && (side === 'above' ? interval[0] > 0 : interval[1] < 0) ? [tag] : [],
        );
      const [up, down] = [names('above'), names('below')];
      const rest = strata.size - up.length - down.length;
      return `${nameOf(arm)}: of ${strata.size} categories, ${list(up)} rise, ${list(down)} fall, and ${rest} show no change that can be told, each by its own interval.`;
    });
  const together =
    rivals.length > 1 ? [`The ${rivals.length} comparisons at the end hold together with 95 % (Bonferroni).`] : [];
  return [...own, ...pairs, ...together, ...categories];
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : `${names.length} (${names.join(', ')})`;
}

/** An estimate as a row of a figure. */
export function intervalRow(
  names: Pick<IntervalRow, 'label' | 'series'>,
  { mean, interval }: MeanEstimate,
  { factor }: Scale,
): IntervalRow {
  return { ...names, mean: mean * factor, interval: interval && [interval[0] * factor, interval[1] * factor] };
}
