/** Several runs in one chart. */
import { useState } from 'preact/hooks';
import { Chart, type Range } from '../chart/chart.tsx';
import { curveOf, smooth } from '../chart/curves.ts';
import type { Curve } from '../data/metric-table.ts';
import { go, type Route } from '../data/route.ts';
import type { RunData } from '../data/run-data.ts';
import type { Session } from '../data/session.ts';
import { short } from '../parts/format.ts';
import { useStores } from '../parts/hooks.ts';

const score = 'evaluation score';

export function CompareView({ session, route }: { readonly session: Session; readonly route: Route }) {
  const { params } = route;
  const wanted = (params.runs ?? params.run ?? '')
    .split(',')
    .filter((run) => session.runs.some((known) => known.run === run));
  const metric = params.metric ?? 'reward/mean';
  const show = (changes: Readonly<Record<string, string>>) => {
    const all = { ...params, runs: wanted.join(','), metric, ...changes };
    go({ view: 'compare', params: all }, { replace: true });
  };
  const toggle = (run: string) => {
    const left = wanted.includes(run) ? wanted.filter((other) => other !== run) : [...wanted, run];
    show({ runs: left.join(',') });
  };
  return (
    <section aria-label="Comparison of runs" class="compare">
      <fieldset class="card choices">
        <legend>Runs</legend>
        {session.runs.map(({ run, state, reason }) => (
          <label key={run} class={wanted.includes(run) ? `c${(wanted.indexOf(run) % 8) + 1}` : ''}>
            <input type="checkbox" checked={wanted.includes(run)} onChange={() => toggle(run)} />
            <span class="swatch" aria-hidden="true" /> {run} <small class="quiet">{reason ?? state}</small>
          </label>
        ))}
      </fieldset>
      {wanted.length === 0 ? (
        <p class="empty">Choose the runs to be compared.</p>
      ) : (
        <Comparison
          key={wanted.join()}
          runs={wanted.map((run) => session.dataOf(run))}
          metric={metric}
          onMetric={(name) => show({ metric: name })}
        />
      )}
    </section>
  );
}

interface ComparisonProps {
  readonly runs: readonly RunData[];
  readonly metric: string;
  readonly onMetric: (name: string) => void;
}

function Comparison({ runs, metric, onMetric }: ComparisonProps) {
  useStores(runs);
  for (const run of runs) {
    run.open('metrics');
    run.open('evaluations');
  }
  const [range, setRange] = useState<Range>();
  const [weight, setWeight] = useState(0);
  const names = [...new Set(runs.flatMap(({ metrics }) => metrics.names))].sort();
  const lines = runs.map((run, i) => {
    const curve = curveFor(run, metric);
    return { label: run.run, colour: (i % 8) + 1, curve: weight > 0 ? smooth(curve, weight) : curve };
  });
  return (
    <div>
      <div class="bar">
        <label class="inline">
          Of
          <select value={metric} onChange={({ currentTarget }) => onMetric(currentTarget.value)}>
            <option>{score}</option>
            {(names.includes(metric) || metric === score ? names : [metric, ...names]).map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label class="inline">
          Smoothing
          <input
            type="range"
            min="0"
            max="0.98"
            step="0.02"
            value={weight}
            onInput={({ currentTarget }) => setWeight(Number(currentTarget.value))}
          />
        </label>
        {range && (
          <button type="button" onClick={() => setRange(undefined)}>
            Show all steps
          </button>
        )}
      </div>
      <Chart title={metric} lines={lines} range={range} onRange={setRange} group="compare" height={320} />
      <div class="card scroll">
        <table>
          <caption>{metric}</caption>
          <thead>
            <tr>
              <th scope="col">Run</th>
              <th scope="col">First</th>
              <th scope="col">Newest</th>
              <th scope="col">Steps</th>
            </tr>
          </thead>
          <tbody>
            {runs.map((run) => {
              const { ys, xs, length } = curveFor(run, metric);
              return (
                <tr key={run.run}>
                  <th scope="row">{run.run}</th>
                  <td>{short(ys[0])}</td>
                  <td>{short(length > 0 ? ys[length - 1] : undefined)}</td>
                  <td>{length > 0 ? short(xs[length - 1]) : '–'}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function curveFor({ metrics, evaluations }: RunData, metric: string): Curve {
  if (metric !== score) return metrics.curve(metric).ys.length === 0 ? curveOf([]) : metrics.curve(metric);
  return curveOf(evaluations.map(({ step, data }) => [step, data.overall[data.score] ?? Number.NaN]));
}
