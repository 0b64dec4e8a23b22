/** Figure 7: the reward over training, with its spread within groups, and whether held-out drawings earn more of it too. */
import { meanCurve } from '../compare/curves.ts';
import { metricCurve, smoothed } from '../curves.ts';
import { brief } from '../numbers.ts';
import { lineChart } from '../report/line-chart.ts';
import type { RunRecord } from '../run-record.ts';
import { changeOf, folders, type Runs, scaleFor } from './estimates.ts';
import { nameOf, type Reproduction } from './reproduction.ts';
import { mainArms, scoreName } from './scores.ts';
import { type Cell, changeValue, claim, measured, type Section } from './section.ts';

/** The paper's reward, which judges the drawings of all runs here. */
const selfReward = 'gvu';

export function rewardSection(reproduction: Reproduction): Section {
  const arms = mainArms(reproduction);
  const score = scoreName(reproduction);
  const judged = arms.filter(({ runs }) =>
    runs.every(({ record }) => record.evaluations.every(({ overall }) => selfReward in overall)),
  );
  return {
    title: 'The reward over training',
    mirrors:
      'Figure 7 of the paper: the intrinsic reward in training, from 0.045 for the regular base and from 0.018 to 0.038 for the weak one.',
    adds: 'The spread within groups, without which nothing is learned; every seed; the reward of held-out drawings with intervals; and the score beside it, since a reward can rise alone.',
    seen: judged.flatMap((arm) => {
      const [reward, judge] = [selfReward, score].map((name) => changeOf(arm.runs, { score: name }).overall);
      const scale = scaleFor(arm.runs, selfReward);
      const sentence = claim(`${nameOf(arm)}: the reward ${selfReward} of held-out drawings`, reward, {
        scale,
      });
      const [rose, followed] = [reward, judge].map((value) => (value?.interval?.[0] ?? 0) > 0);
      return rose && !followed ? [`${sentence} The score by ${score} does not show it.`] : [sentence];
    }),
    tables: [
      {
        title: 'The reward that was trained with, by tenths of the run',
        head: ['trained with', ...Array.from({ length: 10 }, (_, i) => String(i + 1)), `held-out: ${selfReward}`],
        rows: arms.map((arm): readonly Cell[] => [
          nameOf(arm),
          ...tenthsOf(arm.runs).map((value) => measured(brief(value), folders(arm.runs))),
          changeValue(judged.includes(arm) ? changeOf(arm.runs, { score: selfReward }).overall : undefined, {
            scale: scaleFor(arm.runs, selfReward),
            runs: folders(arm.runs),
          }),
        ]),
        total: false,
        note: `Tenths: means over the steps and seeds, in the unit of the reward. Held-out: the change of ${selfReward} as the base reads it, in points of 100, by prompt, with a 95 % interval over prompts and seeds.`,
      },
    ],
    figures: arms.map((arm) => {
      const curve = meanCurve(arm.runs.map(({ record }) => metricCurve(record.steps, 'reward/mean')));
      const spread = meanCurve(arm.runs.map(({ record }) => metricCurve(record.steps, 'reward/std')));
      return lineChart({
        title: `Reward of ${nameOf(arm)}, with its spread within groups`,
        unit: '',
        series: [
          { name: 'mean', curve, spread: spread.map(({ value }) => value), raw: true },
          ...arm.runs.map(({ seed, record }) => ({
            name: `seed ${seed}, smoothed`,
            curve: smoothed(metricCurve(record.steps, 'reward/mean')),
          })),
        ],
      });
    }),
  };
}

/** Means of the training reward by tenths of the steps, and over seeds. */
export function tenthsOf(runs: Runs): readonly number[] {
  const each = runs.map(({ record }) => tenths(record));
  return Array.from({ length: 10 }, (_, i) => mean(each.map((values) => values[i] ?? Number.NaN)));
}

function tenths({ steps }: RunRecord): readonly number[] {
  return Array.from({ length: 10 }, (_, i) => {
    const part = steps.slice(Math.floor((i * steps.length) / 10), Math.floor(((i + 1) * steps.length) / 10));
    return mean(part.flatMap(({ metrics }) => metrics['reward/mean'] ?? []));
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
