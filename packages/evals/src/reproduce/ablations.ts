/** What the paper does not vary: the group size, the teacher, the form of the reward; and rewards that bound what can be had. */
import { pairLevel } from '../compare/comparison.ts';
import { brief, duration } from '../numbers.ts';
import { type IntervalRow, intervalChart } from '../report/interval-chart.ts';
import { changeOf, differenceOf, folders, levelOf, type Runs, scaleFor } from './estimates.ts';
import type { ArmRuns, Reproduction, Role } from './reproduction.ts';
import { tenthsOf } from './rewards.ts';
import { intervalRow, scoreName } from './scores.ts';
import { type Cell, changeValue, claim, measured, resultValue, type Section } from './section.ts';

const tables: readonly { readonly role: Role; readonly title: string; readonly note: string }[] = [
  {
    role: 'group-size',
    title: 'Group size G',
    note: 'Every step has the same number of drawings: fewer in a group means more prompts.',
  },
  {
    role: 'teacher',
    title: 'Teacher',
    note: 'Who reads: the model as it was (frozen), as it is now (live), or a running average of it (ema).',
  },
  {
    role: 'reward',
    title: 'Reward',
    note: 'Settings are those of the method for all, and tuned for none: rewards differ in scale and spread.',
  },
];

export function ablationSection(reproduction: Reproduction): Section {
  const score = scoreName(reproduction);
  const { arms } = reproduction;
  const parts = tables.flatMap(({ role, title, note }) => {
    const own = arms.filter((arm) => arm.role === role);
    const method = arms.find((arm) => arm.role === 'method' && arm.base === own[0]?.base);
    return own.length > 0 && method ? [{ title, note, own, method, reference: sharedSeeds(method, own) }] : [];
  });
  const level = pairLevel(parts.reduce((sum, { own }) => sum + own.length, 0));
  const scale = scaleFor(parts[0]?.method.runs ?? [], score);
  return {
    title: 'Ablations',
    mirrors:
      'Nothing of the paper: it varies neither the group size, nor who reads, nor the form of the reward, and has no control that is known to be hackable and no bound by an oracle.',
    adds: 'Each setting changed alone, with the seed, the prompts and the number of drawings of the method.',
    seen: [
      ...parts.flatMap(({ own, reference }) =>
        own.map((arm) =>
          claim(`${arm.title} against the method`, differenceOf(arm.runs, reference, { score, level }).overall, {
            scale,
            words: { above: 'ends higher', below: 'ends lower', open: 'cannot be told apart at the end' },
          }),
        ),
      ),
      ...(parts.length === 0
        ? []
        : [
            'These comparisons hold together with 95 % (Bonferroni) over prompts; of one seed each, they say nothing of other seeds.',
          ]),
    ],
    tables: parts.map(({ title, note, own, method, reference }) => ({
      title,
      head: [
        'setting',
        `${score}: after (change)`,
        'minus the method',
        'own reward, first to last tenth',
        'KL',
        'equal drawings, %',
        'ended',
        'time',
      ],
      rows: [
        settingRow({ ...method, title: `${method.title} (the method)`, runs: reference }, { score }),
        ...own.map((arm) => settingRow(arm, { score, reference, level })),
      ],
      total: false,
      note: `${note} Scores in points of 100, mean of all categories; the change with a 95 % interval over prompts, differences from the method with intervals that hold together. KL from the base in nats a decision, and drawings that equal another of their group: means of the last tenth of the steps.`,
    })),
    figures: [
      intervalChart({
        title: 'Change of the score by setting',
        unit: 'points',
        rows: parts.flatMap(({ title, own, method, reference }) =>
          [{ ...method, runs: reference }, ...own].map(
            (arm): IntervalRow =>
              intervalRow({ label: arm.title, series: title }, changeOf(arm.runs, { score }).overall, scale),
          ),
        ),
      }),
    ],
  };
}

/** The runs of the method with the seeds that the others have. */
function sharedSeeds(method: ArmRuns, others: readonly ArmRuns[]): Runs {
  const seeds = new Set(others.flatMap(({ runs }) => runs.map(({ seed }) => seed)));
  const shared = method.runs.filter(({ seed }) => seeds.has(seed));
  return shared.length > 0 ? shared : method.runs;
}

function settingRow(
  { title, runs }: ArmRuns,
  { score, reference, level }: { readonly score: string; readonly reference?: Runs; readonly level?: number },
): readonly Cell[] {
  const source = { scale: scaleFor(runs, score), runs: folders(runs) };
  const tenths = tenthsOf(runs);
  return [
    title,
    resultValue(levelOf(runs, 'after', { score }).overall, changeOf(runs, { score }).overall, source),
    reference === undefined
      ? ''
      : changeValue(differenceOf(runs, reference, { score, ...(level !== undefined && { level }) }).overall, {
          ...source,
          runs: folders(runs, reference),
        }),
    ...[
      `${brief(tenths[0] ?? null)} to ${brief(tenths.at(-1) ?? null)}`,
      brief(lastTenth(runs, 'kl')),
      brief(100 * lastTenth(runs, 'duplicates')),
      endsOf(runs),
      duration(runs.reduce((sum, { record }) => sum + (record.ended?.seconds ?? 0), 0) / runs.length),
    ].map((text) => measured(text, source.runs)),
  ];
}

function endsOf(runs: Runs): string {
  return [...new Set(runs.map(({ record: { ended } }) => `${ended?.reason} at ${ended?.step}`))].join(', ');
}

function lastTenth(runs: Runs, metric: string): number {
  const values = runs.flatMap(({ record: { steps } }) =>
    steps.slice(-Math.max(1, Math.round(steps.length / 10))).flatMap(({ metrics }) => metrics[metric] ?? []),
  );
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
