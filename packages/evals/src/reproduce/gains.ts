/** Figure 6: what the weak and the regular base gain, in points and relative to where they began. */

import type { MeanEstimate } from '../bootstrap.ts';
import type { Scale } from '../numbers.ts';
import { type IntervalRow, intervalChart } from '../report/interval-chart.ts';
import { changeOf, folders, gainDifferenceOf, levelOf, relativeGainOf, scaleFor } from './estimates.ts';
import { type ArmRuns, nameOf, type Reproduction } from './reproduction.ts';
import { intervalRow, scoreName } from './scores.ts';
import { changeValue, claim, levelValue, type Section, textOf } from './section.ts';

const percent: Scale = { factor: 100, unit: ' %' };
const relativeText = (gain: MeanEstimate | undefined) => textOf(changeValue(gain, { scale: percent, runs: [] }));

export function gainSection(reproduction: Reproduction): Section {
  const score = scoreName(reproduction);
  const methods = reproduction.arms.filter(({ role }) => role === 'method');
  // As the paper says it, whatever was trained first: how much more the weak base gains.
  const [one, other] = ['weak', 'regular'].map((name) => methods.find(({ base }) => base === name));
  const frame = {
    title: 'Gains from two bases',
    mirrors:
      'Figure 6 of the paper: relative gains of the weak and the regular base, +138.1 % against +19.1 % on GenEval, from which it concludes that a wider gap between reading and drawing helps more.',
    adds: 'Gains in points with intervals, and the interval of their difference: the same points are a larger relative gain for a base that begins lower.',
  };
  if (!one || !other)
    return { ...frame, seen: ['Only one base was trained: there is nothing to compare.'], tables: [], figures: [] };
  const scale = scaleFor([...one.runs, ...other.runs], score);
  const parts = reproduction.groups.map(({ title, tags }) => ({
    title,
    tags,
    gains: [one, other].map(({ runs }) => changeOf(runs, { score, tags })),
    relative: [one, other].map(({ runs }) => relativeGainOf(runs, { score, tags })),
    difference: gainDifferenceOf(one.runs, other.runs, { score, tags }),
  }));
  const source = (...arms: readonly ArmRuns[]) => ({ scale, runs: folders(...arms.map(({ runs }) => runs)) });
  return {
    ...frame,
    seen: parts.flatMap(({ title, relative, difference }) => [
      claim(`${title}: the gain of the ${one.base} base minus that of the ${other.base} base`, difference.overall, {
        scale,
        words: { above: 'is above zero', below: 'is below zero', open: 'cannot be told from zero' },
      }),
      `${title}, gain in percent of the score before: ${[one, other].map(({ base }, i) => `${base} base ${relativeText(relative[i])}`).join(', ')}.`,
    ]),
    tables: [
      ...parts.map(({ title, tags, gains: [first, second], difference }) => {
        const row = (label: string, tag: string | null) => [
          label,
          changeValue(tag === null ? first?.overall : first?.strata.get(tag), source(one)),
          changeValue(tag === null ? second?.overall : second?.strata.get(tag), source(other)),
          changeValue(tag === null ? difference.overall : difference.strata.get(tag), source(one, other)),
        ];
        return {
          title: `${title}: gains in points`,
          head: ['category', nameOf(one), nameOf(other), `${one.base} minus ${other.base}`],
          rows: [...tags.filter((tag) => first?.strata.has(tag)).map((tag) => row(tag, tag)), row('overall', null)],
          total: true,
          note: 'The same prompts and seeds on both sides; 95 % intervals, each for itself.',
        };
      }),
      {
        title: 'Gains of the score before, in percent',
        head: ['score', ...[one, other].flatMap((arm) => [`${arm.base} base`, `${nameOf(arm)}: gain, %`])],
        rows: parts.map(({ title, tags, relative }) => [
          title,
          ...[one, other].flatMap((arm, i) => [
            levelValue(levelOf(arm.runs, 'before', { score, tags }).overall, source(arm)),
            changeValue(relative[i], { ...source(arm), scale: percent }),
          ]),
        ]),
        total: false,
        note: 'Gain / score before, as the paper gives it: of the overall scores in points, 95 % intervals for the ratio (Fieller), since the score before is uncertain too; none where it may be zero.',
      },
    ],
    figures: parts.map(({ title, tags, gains }) =>
      intervalChart({
        title: `${title}: gains of the two bases`,
        unit: 'points',
        rows: [...tags, null].flatMap((tag) =>
          [one, other].flatMap((arm, i): IntervalRow[] => {
            const gain = tag === null ? gains[i]?.overall : gains[i]?.strata.get(tag);
            return gain ? [intervalRow({ label: tag ?? 'overall', series: nameOf(arm) }, gain, scale)] : [];
          }),
        ),
      }),
    ),
  };
}
