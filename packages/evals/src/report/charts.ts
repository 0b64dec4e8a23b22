/** The curves of a run that its report draws. */
import { metricCurve, rewardNames, scoreCurves, smoothed } from '../curves.ts';
import type { RunRecord } from '../run-record.ts';
import { type Html, html } from './html.ts';
import { lineChart, type Series } from './line-chart.ts';

/** More lines cannot be told apart. */
const mostLines = 16;
/** More points than this cannot be seen either; what is left out keeps the page small. */
const mostPoints = 600;

export function chartsSection(record: RunRecord): Html {
  const { evaluations } = record;
  const steps = thinned(record.steps);
  const mean = metricCurve(steps, 'reward/mean');
  const spread = metricCurve(steps, 'reward/std').map(({ value }) => value);
  const single = (title: string, metric: string, unit: string): Html =>
    lineChart({ title, unit, series: withRaw({ name: title, curve: metricCurve(steps, metric) }) });
  const [overall, ...byTag] = evaluations.length < 2 ? [] : scoreCurves(evaluations).slice(0, mostLines);
  const scores: Series[] = overall ? [{ ...overall, strong: true }, ...byTag] : [];
  const names = rewardNames(steps);
  const charts = [
    lineChart({
      title: 'Reward, with its mean spread within groups',
      unit: '',
      series: withRaw({ name: 'mean', curve: mean, ...(spread.length > 0 && { spread }) }),
    }),
    names.length > 1
      ? lineChart({
          title: 'Single rewards',
          unit: 'before weights',
          series: names
            .slice(0, mostLines)
            .map((name) => ({ name, curve: smoothed(metricCurve(steps, `reward/${name}`)) })),
        })
      : html``,
    lineChart({
      title: 'Score by evaluation',
      unit: evaluations[0]?.score ?? '',
      series: scores,
    }),
    single('KL from the reference', 'kl', 'nats a decision'),
    single('Entropy of the policy', 'entropy', 'nats a decision'),
    single('Gradient norm', 'gradient/norm', ''),
    judgeChart(record),
  ].filter(({ text }) => text !== '');
  if (charts.length === 0) return html``;
  return html`<section><h2>Curves</h2><div class="charts">${charts}</div></section>`;
}

/** A teacher that learns may come to like anything: what it gives fixed drawings for their own prompts must stay above others'. */
function judgeChart({ evaluations }: RunRecord): Html {
  const checks = evaluations.flatMap(({ step, judge }) => (judge ? [{ step, ...judge }] : []));
  return lineChart({
    title: 'The teacher on drawings from before training',
    unit: 'nats a token',
    series: [
      { name: 'their own prompts', curve: checks.map(({ step, right }) => ({ step, value: right })) },
      { name: "others' prompts", curve: checks.map(({ step, wrong }) => ({ step, value: wrong })) },
    ],
  });
}

/** A smoothed line over its pale raw form, if there is enough to smooth. */
function withRaw({ spread, ...series }: Series): Series[] {
  const band = spread && { spread };
  if (series.curve.length < 20) return [{ ...series, ...band }];
  return [
    { ...series, ...band, raw: true },
    { ...series, curve: smoothed(series.curve) },
  ];
}

/** Every n-th item, and the last. */
function thinned<T>(items: readonly T[]): readonly T[] {
  const stride = Math.ceil(items.length / mostPoints);
  return items.filter((_, i) => i % stride === 0 || i === items.length - 1);
}
