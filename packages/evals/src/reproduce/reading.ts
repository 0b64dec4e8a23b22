/** The tables of understanding: the answers to the same questions before training and after. */
import { examChanges } from '../compare/compared-runs.ts';
import { crossedMeans } from '../compare/crossed.ts';
import { compareExams } from '../exam-comparison.ts';
import { scaleOf } from '../numbers.ts';
import { folders } from './estimates.ts';
import { type ArmRuns, nameOf, type Reproduction } from './reproduction.ts';
import { mainArms } from './scores.ts';
import { type Cell, changeValue, claim, measured, type Section } from './section.ts';

const scale = scaleOf([0, 1]);

export function readingSection(reproduction: Reproduction): Section {
  const arms = mainArms(reproduction);
  const columns = arms.map((arm) => ({ arm, ...crossedMeans(examChanges(arm.runs, arm.arm)) }));
  const bases = [...new Set(arms.map(({ base }) => base))];
  const starts = bases.map((base) => {
    const first = arms.find((arm) => arm.base === base);
    return { base, rows: startOf(first), runs: folders(first?.runs.slice(0, 1) ?? []) };
  });
  const kinds = [...new Set(columns.flatMap(({ strata }) => [...strata.keys()]))];
  const row = (kind: string): readonly Cell[] => [
    kind,
    measured(String(columns[0]?.strata.get(kind)?.n ?? '-'), folders(arms[0]?.runs ?? [])),
    ...starts.map(({ rows, runs }) => measured(rows.get(kind) ?? '-', runs)),
    ...columns.map(({ arm, strata }) => changeValue(strata.get(kind), { scale, runs: folders(arm.runs) })),
  ];
  return {
    title: 'Reading before and after',
    mirrors:
      'Tables 4 and 5 of the paper: understanding benchmarks, "comparable" (five of six fall slightly), and sub-scores of MMT-Bench that rise, of 20 to 80 questions each.',
    adds: 'The same questions before and after, compared one by one; the control and the baseline; seeds and intervals. The questions are of this world: no published benchmark applies to it.',
    seen: columns.map(({ arm, overall }) =>
      claim(`${nameOf(arm)}: right answers, as the mean of the kinds,`, overall, {
        scale,
        words: { above: 'rise', below: 'fall', open: 'show no change that can be told' },
      }),
    ),
    tables: [
      {
        title: 'Right answers of 100: before, and the change by training',
        head: ['questions', 'n', ...bases.map((base) => `${base} base`), ...arms.map(nameOf)],
        rows: [
          ...kinds.map(row),
          [
            'mean of the kinds',
            measured(String(columns[0]?.overall.n ?? '-'), folders(arms[0]?.runs ?? [])),
            ...starts.map(() => ''),
            ...columns.map(({ arm, overall }) => changeValue(overall, { scale, runs: folders(arm.runs) })),
          ],
        ],
        total: true,
        note: 'n = questions. Before: with Wilson’s 95 % interval. Changes: question by question, 95 % over questions and seeds, each for itself; a dash where no answer changed in a way that gives an interval.',
      },
    ],
    figures: [],
  };
}

/** Right answers before training, by kind; the same for every run of a base. */
function startOf(arm: ArmRuns | undefined): ReadonlyMap<string, string> {
  const rows = compareExams(arm?.runs[0]?.record.exams ?? []);
  const percent = (share: number) => (100 * share).toFixed(0);
  return new Map(
    rows.map(({ exam, kind, before: { share, interval } }) => [
      `${exam}: ${kind}`,
      `${percent(share)} [${interval.map(percent).join(', ')}]`,
    ]),
  );
}
