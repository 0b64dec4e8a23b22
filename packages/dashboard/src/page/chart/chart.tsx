/**
 * One chart: lines over steps, a band where there is a spread. uPlot draws what `decimate` leaves. To the mouse: point to read, drag to
 * zoom, double click for all. To the keyboard and to screen readers it is a slider over the steps, whose value says the numbers.
 */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import type { Curve } from '../data/metric-table.ts';
import { short } from '../parts/format.ts';
import { onColourChange } from '../parts/hooks.ts';
import { extent, nearestRow, valueAt } from './curves.ts';
import { type Drawn, decimate } from './decimate.ts';

export interface Line {
  readonly label: string;
  readonly curve: Curve;
  /** Which of the page's colours, from 1; 0 is that of the text. */
  readonly colour: number;
  /** Drawn behind the others, without a value of its own. */
  readonly faint?: boolean;
}

export interface Band {
  readonly low: Curve;
  readonly high: Curve;
  readonly label: string;
  readonly colour: number;
}

export type Range = readonly [from: number, to: number];

export interface ChartProps {
  readonly title: string;
  readonly note?: string | undefined;
  readonly lines: readonly Line[];
  readonly band?: Band | undefined;
  /** The steps in view; all when undefined. */
  readonly range: Range | undefined;
  readonly onRange: (range: Range | undefined) => void;
  /** Charts of one group show the cursor at the same step. */
  readonly group: string;
  readonly height?: number;
}

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function Chart({ title, note, lines, band, range, onRange, group, height = 190 }: ChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const [cursor, setCursor] = useState<number>();
  const [paint, setPaint] = useState(0);
  const curves = [...(band ? [band.high, band.low] : []), ...lines.map(({ curve }) => curve)];
  const all = extent(curves);
  const view = all && (range ?? all);
  // For what uPlot calls later.
  const latest = useRef({ curves, view, onRange });
  latest.current = { curves, view, onRange };

  const draw = () => {
    const [chart, now] = [plot.current, latest.current];
    if (!chart || !now.view) return;
    const [from, to] = now.view;
    const pixels = Math.max(50, Math.round(chart.over.clientWidth || chart.width));
    // uPlot's type of data has no undefined in its lists, though uPlot knows it.
    const drawn = decimate(now.curves, { from, to, pixels }) as Drawn & uPlot.AlignedData;
    chart.batch(() => {
      chart.setData(drawn, false);
      chart.setScale('x', { min: from, max: to });
    });
  };

  useEffect(() => onColourChange(() => setPaint((count) => count + 1)), []);

  const look = [
    paint,
    height,
    band?.colour,
    ...lines.map(({ label, colour, faint }) => `${label} ${colour} ${faint}`),
  ].join();
  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return;
    const chart = new uPlot(
      {
        width: element.clientWidth,
        height,
        ...looksOf(lines, band),
        cursor: { drag: { x: true, y: false, setScale: false }, sync: { key: group }, y: false, points: { size: 6 } },
        hooks: {
          setCursor: [
            ({ cursor: { left }, posToVal }: uPlot) => {
              const [first] = latest.current.curves;
              if (left === undefined || left === null || left < 0 || !first) return setCursor(undefined);
              setCursor(first.xs[nearestRow(longest(latest.current.curves), posToVal(left, 'x'))]);
            },
          ],
          setSelect: [
            (self: uPlot) => {
              const { left, width } = self.select;
              if (width > 3) latest.current.onRange([self.posToVal(left, 'x'), self.posToVal(left + width, 'x')]);
              self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            },
          ],
        },
      },
      [[]],
      element,
    );
    chart.over.addEventListener('dblclick', () => latest.current.onRange(undefined));
    plot.current = chart;
    const resize = new ResizeObserver(() => {
      if (element.clientWidth === 0) return;
      chart.setSize({ width: element.clientWidth, height });
      draw();
    });
    resize.observe(element);
    return () => {
      resize.disconnect();
      chart.destroy();
      plot.current = undefined;
    };
  }, [look]);
  useLayoutEffect(draw);

  const shown = lines.filter(({ faint }) => !faint);
  const step = cursor ?? all?.[1];
  const values = shown.map((line) => ({
    ...line,
    value: cursor === undefined ? lastValue(line.curve) : valueAt(line.curve, cursor),
  }));
  const spread =
    band && cursor !== undefined ? (valueAt(band.high, cursor) - valueAt(band.low, cursor)) / 2 : Number.NaN;

  const onKeyDown = (event: KeyboardEvent) => {
    const chart = plot.current;
    if (!chart || !all || !view) return;
    const base = longest(curves);
    const row = nearestRow(base, cursor ?? view[1]);
    const point = (to: number) => {
      const at = base.xs[Math.max(0, Math.min(base.length - 1, to))] ?? 0;
      const [from, until] = view;
      // The view follows.
      if (at < from || at > until) onRange([at - (until - from) / 2, at + (until - from) / 2]);
      chart.setCursor({ left: Math.max(0, chart.valToPos(at, 'x')), top: 0 });
      setCursor(at);
    };
    const zoom = (factor: number) => {
      const [from, until] = view;
      const middle = cursor ?? (from + until) / 2;
      const wide = [middle - (middle - from) * factor, middle + (until - middle) * factor] as const;
      if (wide[1] - wide[0] >= all[1] - all[0]) onRange(undefined);
      else if (wide[1] - wide[0] >= 2) onRange(wide);
    };
    const keys: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => point(row - (event.shiftKey ? 10 : 1)),
      ArrowRight: () => point(row + (event.shiftKey ? 10 : 1)),
      Home: () => point(0),
      End: () => point(base.length - 1),
      '+': () => zoom(0.5),
      '=': () => zoom(0.5),
      '-': () => zoom(2),
      Escape: () => onRange(undefined),
    };
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };

  return (
    <figure class="card chart">
      <figcaption>
        <h3>{title}</h3>
        <span class="at">{cursor === undefined ? note : `step ${short(cursor)}`}</span>
        <ul class="legend">
          {values.map(({ label, colour, value }) => (
            <li key={label} class={`c${colourOf(colour)} ${colour > 8 ? 'dashed' : ''}`}>
              {values.length > 1 || label !== title ? <span>{label}</span> : null} <b>{short(value)}</b>
              {Number.isNaN(spread) ? null : <span class="quiet"> ± {short(spread)}</span>}
            </li>
          ))}
        </ul>
      </figcaption>
      <div
        ref={frame}
        class="plot"
        role="slider"
        tabIndex={0}
        aria-label={`${title}, by step`}
        data-points={longest(curves).length}
        aria-valuemin={all?.[0] ?? 0}
        aria-valuemax={all?.[1] ?? 0}
        aria-valuenow={step ?? 0}
        aria-valuetext={`step ${step ?? '–'}: ${values.map(({ label, value }) => `${label} ${short(value)}`).join(', ')}`}
        title="Arrows read, + and − zoom, Escape shows all"
        onKeyDown={onKeyDown}
        onBlur={() => plot.current?.setCursor({ left: -10, top: -10 })}
        style={{ minHeight: `${height}px` }}
      />
    </figure>
  );
}

function longest(curves: readonly Curve[]): Curve {
  return curves.reduce((best, curve) => (curve.length > best.length ? curve : best));
}

function lastValue({ ys, length }: Curve): number {
  for (let row = length - 1; row >= 0; row--) {
    const y = ys[row] ?? Number.NaN;
    if (!Number.isNaN(y)) return y;
  }
  return Number.NaN;
}

function levelRange(value: number | null): [number, number] {
  const y = value ?? 0;
  return y === 0 ? [0, 1] : [y - Math.abs(y) / 2, y + Math.abs(y) / 2];
}

/** Between the numbers of an axis of steps: 1, 2, 5, 10, 20, ... */
const wholeSteps = Array.from({ length: 10 }, (_, i) => [1, 2, 5].map((digit) => digit * 10 ** i)).flat();

/** With fewer points than this, each of them is marked. */
const sparse = 40;

/** The colours of the page are eight; lines beyond are dashed. */
const colourOf = (colour: number): number => (colour === 0 ? 0 : ((colour - 1) % 8) + 1);

/** The looks of a chart in the colours of the page. */
function looksOf(
  lines: readonly Line[],
  band: Band | undefined,
): Pick<uPlot.Options, 'series' | 'bands' | 'axes' | 'scales' | 'legend' | 'padding'> {
  const axis = {
    stroke: css('--quiet'),
    font: '11px system-ui, sans-serif',
    ticks: { show: false },
    grid: { stroke: css('--line'), width: 1 },
  };
  const edge = { stroke: 'transparent', width: 0, points: { show: false }, spanGaps: false };
  return {
    legend: { show: false },
    padding: [8, 16, 0, 0],
    scales: {
      x: { time: false },
      y: {
        // Of a line that is level, something around it.
        range: (_, low, high) =>
          low === null || low === high ? levelRange(low) : uPlot.rangeNum(low, high, 0.1, true),
      },
    },
    axes: [
      // Steps are whole.
      { ...axis, grid: { show: false }, size: 24, space: 60, incrs: wholeSteps },
      {
        ...axis,
        size: 52,
        space: 34,
        values: (_, ticks) => ticks.map((tick) => (Math.abs(tick) < 1e-12 ? '0' : short(tick))),
      },
    ],
    series: [
      {},
      ...(band ? [edge, edge] : []),
      ...lines.map((line) => ({
        stroke: css(`--c${colourOf(line.colour)}`),
        ...(line.colour > 8 && { dash: [6, 4] }),
        alpha: line.faint ? 0.25 : 1,
        width: line.faint ? 1 : 1.75,
        points: {
          show: (self: uPlot) => line.faint !== true && self.data[0].length < sparse,
          size: 5,
          fill: css(`--c${colourOf(line.colour)}`),
        },
      })),
    ],
    bands: band ? [{ series: [1, 2], fill: `color-mix(in srgb, ${css(`--c${band.colour}`)} 16%, transparent)` }] : [],
  };
}
