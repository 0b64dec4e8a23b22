/** The curves of a comparison: one line for each arm, the mean over its seeds. */
import { type CurvePoint, metricCurve, scoreCurves, smoothed } from '../curves.ts';
import { type Html, html } from '../report/html.ts';
import { lineChart, type Series } from '../report/line-chart.ts';
import type { RunRecord } from '../run-record.ts';
import { armsOf, type ComparedRun } from './compared-runs.ts';

const mostPoints = 300;

export function comparisonCharts(runs: readonly ComparedRun[], score: string): Html {
  const series = (curveOf: (run: ComparedRun) => readonly CurvePoint[]): Series[] =>
    armsOf(runs).map((arm) => ({ name: arm, curve: meanCurve(runs.filter((run) => run.arm === arm).map(curveOf)) }));
  const metric = (name: string) => series(({ record }) => thinned(smoothed(metricCurve(record.steps, name))));
  const charts = [
    lineChart({
      title: 'Score by evaluation',
      unit: score,
      series: series(
        ({ record }) => scoreCurves(record.evaluations).find(({ name }) => name === 'overall')?.curve ?? [],
      ),
    }),
    lineChart({
      title: 'KL from the base',
      unit: 'nats a decision',
      series: series(({ record }) => signCurve(record, 'kl')),
    }),
    lineChart({ title: 'Entropy of the policy', unit: 'nats a decision', series: metric('entropy') }),
    lineChart({ title: 'Diversity of the drawings of a prompt', unit: '0 to 1', series: metric('diversity') }),
    ...armsOf(runs).map((arm) =>
      lineChart({
        title: `Reward of ${arm}, by seed`,
        unit: '',
        series: runs
          .filter((run) => run.arm === arm)
          .map(({ seed, record }) => ({
            name: `seed ${seed}`,
            curve: thinned(smoothed(metricCurve(record.steps, 'reward/mean'))),
          })),
      }),
    ),
  ].filter(({ text }) => text !== '');
  return charts.length === 0 ? html`` : html`<section><h2>Curves</h2><div class="charts">${charts}</div></section>`;
}

/** What evaluations found in the drawings; empty where none did. */
function signCurve({ evaluations }: RunRecord, name: string): CurvePoint[] {
  const curve = evaluations.map(({ step, signs }) => ({ step, value: signs?.[name] ?? null }));
  return curve.some(({ value }) => value !== null) ? curve : [];
}

/** The mean of curves at the steps that all of them have. */
export function meanCurve(curves: readonly (readonly CurvePoint[])[]): CurvePoint[] {
  const [first = []] = curves;
  const byStep = curves.map((curve) => new Map(curve.map(({ step, value }) => [step, value])));
  return first.flatMap(({ step }) => {
    if (!byStep.every((values) => values.has(step))) return [];
    const values = byStep.map((curve) => curve.get(step) ?? null);
    const known = values.flatMap((value) => value ?? []);
    return [
      {
        step,
        value: known.length < values.length ? null : known.reduce((sum, value) => sum + value, 0) / known.length,
      },
    ];
  });
}

function thinned(curve: readonly CurvePoint[]): readonly CurvePoint[] {
  const stride = Math.ceil(curve.length / mostPoints);
  return curve.filter((_, i) => i % stride === 0 || i === curve.length - 1);
}
