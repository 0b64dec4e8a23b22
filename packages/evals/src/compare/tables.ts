/** The tables of a comparison as cells of text. Every number has the digits it supports. */
import type { MeanEstimate } from '../bootstrap.ts';
import { brief, decimalsOf, duration, fixed, intervalText, type Scale, scaleOf, signed } from '../numbers.ts';
import type { TextTable } from '../score-table.ts';
import type { RewardComparison } from './comparison.ts';

export interface NamedTable {
  readonly title: string;
  readonly table: TextTable;
  readonly note: string;
}

export function comparisonTables(comparison: RewardComparison): readonly NamedTable[] {
  return [scoreTable(comparison), pairTable(comparison), seenByTable(comparison), costTable(comparison)].filter(
    ({ table }) => table.rows.length > 0,
  );
}

function scoreTable({ arms, before, score, scale, prompts, leftOut, seeds }: RewardComparison): NamedTable {
  const rows = [...before.strata].map(([tag, value]) => [
    tag,
    fixed(value * scale.factor, 1),
    ...arms.map(({ strata }) => cell(strata.get(tag), scale)),
  ]);
  const total = [
    'overall',
    fixed(before.overall * scale.factor, 1),
    ...arms.map(({ overall }) => cell(overall, scale)),
  ];
  const unit = scale.unit === '' ? '' : ', in points of 100';
  return {
    title: `Score by ${score}: before, and the change by training`,
    table: { head: ['category', 'before', ...arms.map(({ arm }) => arm)], rows: [...rows, total], total: true },
    note: `${prompts} held-out prompts${unit}, ${seeds.length === 1 ? '1 seed' : `${seeds.length} seeds`} (${seeds.join(', ')}). Intervals are 95 %, each for itself, over prompts and seeds as crossed samples. The overall score is the mean of the categories.${leftOut > 0 ? ` ${leftOut} prompts that a run could not judge are left out of all.` : ''}`,
  };
}

function pairTable({ pairs, scale }: RewardComparison): NamedTable {
  return {
    title: 'Pairs: the score after training',
    table: {
      head: ['pair', 'difference'],
      rows: pairs.map(({ one, other, difference }) => [`${one} minus ${other}`, cell(difference, scale)]),
      total: false,
    },
    note: `Intervals hold together with 95 % (Bonferroni, ${pairs.length} ${pairs.length === 1 ? 'pair' : 'pairs'}): of pairs whose interval leaves out 0, one is better.`,
  };
}

function seenByTable({ arms, scales }: RewardComparison): NamedTable {
  return {
    title: 'Each arm as every reward sees it: the change by training',
    table: {
      head: ['trained with', ...scales.keys()],
      rows: arms.map(({ arm, seenBy, own }) => [
        arm,
        ...[...scales].map(
          ([judge, scale]) => `${cell(seenBy.get(judge), scale)}${own.includes(judge) ? ' (own)' : ''}`,
        ),
      ]),
      total: false,
    },
    note: 'Rewards judge the held-out drawings; "own" is what the arm was trained to raise. Values from 0 to 1 are in points of 100, others as they are.',
  };
}

function costTable({ arms }: RewardComparison): NamedTable {
  const points = scaleOf([0, 1]);
  return {
    title: 'What it did besides, and what it took',
    table: {
      head: [
        'trained with',
        'KL, nats a decision',
        'entropy, nats',
        'diversity',
        'equal drawings, %',
        'reading',
        'time a run',
      ],
      rows: arms.map(({ arm, kl, entropy, diversity, duplicates, exam, seconds, cutShort }) => [
        `${arm}${cutShort.length > 0 ? ` (${cutShort.join('; ')})` : ''}`,
        spread(kl),
        spread(entropy),
        spread(diversity),
        spread(duplicates.map((share) => share * 100)),
        exam ? cell(exam, points) : '-',
        duration(seconds.reduce((sum, value) => sum + value, 0) / seconds.length),
      ]),
      total: false,
    },
    note: 'KL from the base on the held-out drawings after training. Entropy of the policy, diversity (root mean square difference of two drawings of a prompt, values from 0 to 1) and drawings that equal another of their group: means of the last tenth of the steps. In brackets the range over seeds. Reading: the change of right answers in the exam, in points of 100.',
  };
}

/** `+3.1 [1.2, 5.0]`; `-` where nothing is known. */
function cell(estimate: MeanEstimate | undefined, scale: Scale): string {
  if (!estimate || !Number.isFinite(estimate.mean)) return '-';
  const { n, mean, standardError, interval } = estimate;
  const decimals = decimalsOf(standardError, { scale, n });
  const amount = signed(mean * scale.factor, decimals);
  return interval ? `${amount} ${intervalText(interval, { scale, decimals })}` : amount;
}

/** `0.03 (0.02 to 0.05)` */
function spread(values: readonly number[]): string {
  const known = values.filter(Number.isFinite);
  if (known.length === 0) return '-';
  const middle = brief(known.reduce((sum, value) => sum + value, 0) / known.length);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  return known.length === 1 || low === high ? middle : `${middle} (${brief(low)} to ${brief(high)})`;
}
