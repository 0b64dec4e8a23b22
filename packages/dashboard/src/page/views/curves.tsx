/** The curves of a run, as they grow. */
import { useState } from 'preact/hooks';
import { Chart, type Line, type Range } from '../chart/chart.tsx';
import { smooth } from '../chart/curves.ts';
import type { MetricTable } from '../data/metric-table.ts';
import type { RunData } from '../data/run-data.ts';
import { useStores } from '../parts/hooks.ts';

interface Panel {
  readonly title: string;
  readonly note?: string;
  readonly names: readonly string[];
}

/** What everybody looks at; all other metrics come below. */
const mainPanels: readonly Panel[] = [
  { title: 'KL', note: 'nats, to the reference', names: ['kl'] },
  { title: 'Entropy', note: 'nats a decision', names: ['entropy'] },
  { title: 'Clip fraction', note: 'of decisions', names: ['clip/region'] },
  { title: 'Decisions/s', note: 'drawn and learned from', names: ['decisions_per_second'] },
];
/** Of the combined reward: its mean, and the mean spread in a group. */
const mean = 'reward/mean';
const spread = 'reward/std';

export function CurvesView({ data }: { readonly data: RunData }) {
  useStores([data]);
  data.open('metrics');
  const [range, setRange] = useState<Range>();
  const [weight, setWeight] = useState(0);
  const { metrics } = data;
  const arrived = data.arrived('metrics');
  if (metrics.length === 0) {
    return <p class="empty">{arrived < 1 ? 'Loading…' : 'No step is done yet. Curves begin with the first one.'}</p>;
  }
  const lineOf = (name: string, colour: number, label = name) =>
    smoothed({ label, curve: metrics.curve(name), colour }, weight);
  const common = { range, onRange: setRange, group: data.run };
  const others = otherPanels(metrics);
  return (
    <section aria-label="Curves">
      <div class="bar">
        <label class="inline">
          Smoothing
          <input
            type="range"
            min="0"
            max="0.98"
            step="0.02"
            value={weight}
            aria-valuetext={weight === 0 ? 'off' : `${Math.round(weight * 100)} %`}
            onInput={({ currentTarget }) => setWeight(Number(currentTarget.value))}
          />
        </label>
        {range && (
          <button type="button" onClick={() => setRange(undefined)}>
            Show all steps
          </button>
        )}
        {arrived < 1 && (
          <label class="inline quiet">
            Loading <progress value={arrived} />
          </label>
        )}
      </div>
      <div class="charts">
        <div class="wide">
          <Chart
            title="Reward"
            note="band: spread in a group"
            lines={rewardLines(metrics).flatMap(([name, colour, label]) => lineOf(name, colour, label))}
            band={{
              low: metrics.combine([mean, spread], ([m = Number.NaN, s = Number.NaN]) => m - s),
              high: metrics.combine([mean, spread], ([m = Number.NaN, s = Number.NaN]) => m + s),
              label: 'spread',
              colour: 1,
            }}
            height={260}
            {...common}
          />
        </div>
        {mainPanels
          .filter(({ names }) => names.some((name) => metrics.names.includes(name)))
          .map(({ title, note, names }, i) => (
            <Chart
              key={title}
              title={title}
              note={note}
              lines={names.flatMap((name) => lineOf(name, i + 2, title))}
              {...common}
            />
          ))}
      </div>
      {others.length > 0 && (
        <details>
          <summary>All other metrics ({others.reduce((count, { names }) => count + names.length, 0)})</summary>
          <div class="charts">
            {others.map(({ title, names }) => (
              <Chart
                key={title}
                title={title}
                lines={names.flatMap((name, i) =>
                  lineOf(name, i + 1, names.length > 1 ? name.slice(name.indexOf('/') + 1) : title),
                )}
                {...common}
              />
            ))}
          </div>
        </details>
      )}
    </section>
  );
}

/** The mean, and each reward by name where the mean is not simply the only one. */
function rewardLines({ names }: MetricTable): readonly (readonly [name: string, colour: number, label: string])[] {
  const single = names.filter((name) => name.startsWith('reward/') && name !== mean && name !== spread);
  if (single.length === 1) return [[mean, 1, single[0]?.slice('reward/'.length) ?? 'reward']];
  return [[mean, 1, 'mean'], ...single.map((name, i) => [name, (i % 7) + 2, name.slice('reward/'.length)] as const)];
}

function smoothed(line: Line, weight: number): readonly Line[] {
  if (weight === 0) return [line];
  return [
    { ...line, faint: true },
    { ...line, curve: smooth(line.curve, weight) },
  ];
}

/** Those of one prefix in one chart, if they are of one kind, as times are. */
function otherPanels({ names }: MetricTable): readonly Panel[] {
  const shown = new Set(mainPanels.flatMap((panel) => panel.names));
  const panels = new Map<string, string[]>();
  for (const name of [...names].sort()) {
    if (shown.has(name) || name.startsWith('reward/')) continue;
    const title = name.startsWith('time/')
      ? 'Seconds a step'
      : name.startsWith('engine/')
        ? 'Seconds of these inside ONNX Runtime'
        : name.startsWith('ratio/')
          ? 'Ratio to the old policy'
          : name;
    panels.set(title, [...(panels.get(title) ?? []), name]);
  }
  return [...panels].map(([title, list]) => ({ title, names: list }));
}
