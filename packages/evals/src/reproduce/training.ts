/** Figure 4: the scores at every evaluation. */
import { pairLevel } from '../compare/comparison.ts';
import { lineChart } from '../report/line-chart.ts';
import { changeOf, evaluatedSteps, folders, levelOf, scaleFor, stretchOf } from './estimates.ts';
import { nameOf, type Reproduction } from './reproduction.ts';
import { mainArms, scoreName } from './scores.ts';
import { levelValue, resultValue, type Section } from './section.ts';

export function trainingSection(reproduction: Reproduction): Section {
  const score = scoreName(reproduction);
  const arms = mainArms(reproduction);
  const scale = scaleFor(arms[0]?.runs ?? [], score);
  const parts = reproduction.groups.map(({ title, tags }) => {
    const lines = arms.map((arm) => ({
      arm,
      points: evaluatedSteps(arm.runs).map((step) => {
        const start = evaluatedSteps(arm.runs)[0] ?? 0;
        const level = levelOf(stretchOf(arm.runs, start, step), 'after', { score, tags }).overall;
        const change = step === start ? undefined : changeOf(stretchOf(arm.runs, start, step), { score, tags }).overall;
        return { step, level, change };
      }),
    }));
    const steps = [...new Set(lines.flatMap(({ points }) => points.map(({ step }) => step)))].sort((a, b) => a - b);
    return { title, tags, lines, steps };
  });
  const figures = parts.map(({ title, lines }) =>
    lineChart({
      title: `${title} over training`,
      unit: 'points',
      series: lines.map(({ arm, points }) => ({
        name: nameOf(arm),
        curve: points.map(({ step, level }) => ({ step, value: level.mean * scale.factor })),
        spread: points.map(({ level }) =>
          level.interval ? ((level.interval[1] - level.interval[0]) / 2) * scale.factor : null,
        ),
      })),
    }),
  );
  return {
    title: 'Scores over training',
    mirrors: 'Figure 4 of the paper: three benchmarks over 12,000 steps, which rise steadily, it says.',
    adds: 'The control and the baseline beside it, intervals at every point, and whether each stretch between two evaluations rises by itself.',
    seen: parts.flatMap(({ title, tags, lines }) =>
      lines
        .filter(({ arm }) => arm.role === 'method')
        .flatMap(({ arm, points }) => {
          const steps = points.map(({ step }) => step);
          const level = pairLevel(steps.length - 1);
          const sides = steps.slice(1).map((to, i) => {
            const runs = stretchOf(arm.runs, steps[i] ?? 0, to);
            const { interval } = changeOf(runs, { score, tags, level }).overall;
            return interval === null ? 'open' : interval[0] > 0 ? 'up' : interval[1] < 0 ? 'down' : 'open';
          });
          if (sides.length === 0) return [];
          const count = (side: string) => sides.filter((other) => other === side).length;
          return [
            `${nameOf(arm)}: of ${sides.length} stretches of ${title} between evaluations ${count('up')} rise, ${count('down')} fall, and ${count('open')} show no change that can be told (intervals that hold together).`,
          ];
        }),
    ),
    tables: parts.map(({ title, lines, steps }) => ({
      title: `${title} over training: the score, and its change since the start`,
      head: ['step', ...lines.map(({ arm }) => nameOf(arm))],
      rows: steps.map((step) => [
        String(step),
        ...lines.map(({ arm, points }) => {
          const point = points.find((other) => other.step === step);
          const source = { scale, runs: folders(arm.runs) };
          return point?.change ? resultValue(point.level, point.change, source) : levelValue(point?.level, source);
        }),
      ]),
      total: false,
      note: 'Points of 100; intervals are 95 %, each for itself, over prompts and seeds.',
    })),
    figures,
  };
}
