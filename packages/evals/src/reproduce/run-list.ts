/** All runs, each by itself: what every other number of the report is made of. */
import { compareExams } from '../exam-comparison.ts';
import { brief, duration, scaleOf } from '../numbers.ts';
import { comparisonOf } from '../score-table.ts';
import { nameOf, type Reproduction } from './reproduction.ts';
import { tenthsOf } from './rewards.ts';
import { scoreName } from './scores.ts';
import { type Cell, changeValue, measured, resultValue, type Section } from './section.ts';

export function runSection(reproduction: Reproduction): Section {
  const score = scoreName(reproduction);
  const { arms, missing } = reproduction;
  return {
    title: 'Every run',
    mirrors: 'Nothing of the paper, which reports one run of each base.',
    adds: 'Each seed by itself. All other numbers of this report are made of these runs, which its tables name by their folders.',
    seen: [
      ...arms.flatMap((arm) => {
        const { runs } = arm;
        if (runs.length < 2) return [];
        const changes = runs.flatMap(
          ({ record }) => 100 * (comparisonOf(record.evaluations)?.overall.difference.mean ?? Number.NaN),
        );
        return [
          `${nameOf(arm)}: ${runs.length} seeds, changes from ${Math.min(...changes).toFixed(1)} to ${Math.max(...changes).toFixed(1)} points.`,
        ];
      }),
      ...(missing.length > 0 ? [`Planned and not done: ${missing.join(', ')}.`] : []),
    ],
    tables: [
      {
        title: 'Runs',
        head: [
          'folder',
          'trained with',
          'base',
          'seed',
          `${score}: after (change)`,
          'own reward',
          'reading',
          'steps',
          'ended',
          'time',
        ],
        rows: arms.flatMap(({ title, base, runs }) =>
          runs.map(({ seed, folder, record }): readonly Cell[] => {
            const comparison = comparisonOf(record.evaluations);
            const change = comparison?.overall;
            const after = change && { n: change.n, mean: change.after, standardError: null, interval: null };
            const all = compareExams(record.exams).find(({ kind }) => kind === 'all questions');
            const tenths = tenthsOf([{ arm: '', seed, folder, record }]);
            return [
              folder,
              title,
              base,
              String(seed),
              comparison ? resultValue(after, change?.difference, { scale: comparison.scale, runs: [folder] }) : '-',
              measured(`${brief(tenths[0] ?? null)} to ${brief(tenths.at(-1) ?? null)}`, [folder]),
              all?.difference
                ? changeValue(
                    { n: all.before.n, standardError: null, ...all.difference },
                    { scale: scaleOf([0, 1]), runs: [folder] },
                  )
                : '-',
              measured(String(record.steps.length), [folder]),
              measured(record.ended?.reason ?? 'not ended', [folder]),
              measured(duration(record.ended?.seconds ?? null), [folder]),
            ];
          }),
        ),
        total: false,
        note: 'Scores in points of 100, mean of all categories; the change by paired bootstrap over prompts, 95 %. Own reward: its mean over the first and the last tenth of the steps. Reading: the change of right answers of all questions, in points of 100.',
      },
    ],
    figures: [],
  };
}
