/** A line chart as SVG, in the colours of the page: lines with gaps, a band around the first, axes with round ticks, a legend in text. */
import type { CurvePoint } from '../curves.ts';
import { brief } from '../numbers.ts';
import { type Html, html, shortened } from './html.ts';

export interface Series {
  readonly name: string;
  readonly curve: readonly CurvePoint[];
  /** Half the height of a band around the line, by index of the curve's points. */
  readonly spread?: readonly (number | null)[];
  /** Drawn thin and pale, as the raw form of a line that is drawn too; not in the legend. */
  readonly raw?: true;
  /** Drawn thick: the one that sums up the others. */
  readonly strong?: true;
}

export interface ChartOptions {
  readonly title: string;
  readonly unit: string;
  readonly series: readonly Series[];
}

const [width, height] = [360, 220];
const frame = { left: 48, right: 342, top: 12, bottom: 188 };

/** The figure, or nothing when no series has a value. */
export function lineChart({ title, unit, series }: ChartOptions): Html {
  const shown = series.filter(({ curve }) => curve.some(({ value }) => value !== null));
  const extent = extentOf(shown);
  if (!extent) return html``;
  const xTicks = ticks(extent.steps, 6).filter(Number.isInteger);
  const yTicks = ticks(extent.values, 6);
  const x = (step: number) => scaled(step, extent.steps, [frame.left, frame.right]);
  const y = (value: number) => scaled(value, extent.values, [frame.bottom, frame.top]);
  const named = shown.filter(({ raw }) => !raw);
  // Colours are used twice before they are too many: the second time with a dashed line.
  const lines = named.filter(({ strong }) => !strong);
  const colours = new Map(lines.map(({ name }, i) => [name, `c${i % 8}${i >= 8 ? ' dashed' : ''}`]));
  const colour = ({ name, strong }: Series): string => (strong ? 'total' : (colours.get(name) ?? 'c0'));
  const inOrder = [...shown.filter(({ strong }) => !strong), ...shown.filter(({ strong }) => strong)];

  return html`<figure class="chart">
<figcaption>${title}${unit && ` (${unit})`}</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img">
<title>${title}</title>
<desc>${describe(named)}</desc>
${yTicks.map((tick) => html`<line class="grid" x1="${frame.left}" x2="${frame.right}" y1="${round(y(tick))}" y2="${round(y(tick))}"/><text class="tick" x="${frame.left - 6}" y="${round(y(tick) + 4)}" text-anchor="end">${brief(tick)}</text>`)}
${xTicks.map((tick) => html`<line class="axis" x1="${round(x(tick))}" x2="${round(x(tick))}" y1="${frame.bottom}" y2="${frame.bottom + 4}"/><text class="tick" x="${round(x(tick))}" y="${frame.bottom + 17}" text-anchor="middle">${tick}</text>`)}
<line class="axis" x1="${frame.left}" x2="${frame.right}" y1="${frame.bottom}" y2="${frame.bottom}"/>
<text class="tick" x="${frame.right}" y="${height - 2}" text-anchor="end">step</text>
${inOrder.map((entry) => html`${band(entry, { x, y, colour: colour(entry) })}<path class="line ${colour(entry)}${entry.raw ? ' raw' : ''}${entry.strong ? ' strong' : ''}" d="${path(entry.curve, { x, y })}"/>${points(entry, { x, y, colour: colour(entry) })}`)}
</svg>
${named.length > 1 && html`<ul class="legend">${named.map((entry) => html`<li><span class="key ${colour(entry)}"></span>${shortened(entry.name, 40)}</li>`)}</ul>`}
</figure>`;
}

interface Plot {
  readonly x: (step: number) => number;
  readonly y: (value: number) => number;
}

/** A move at the start of each run of numbers, lines within it. */
function path(curve: readonly CurvePoint[], { x, y }: Plot): string {
  return curve
    .map(({ step, value }, i) => {
      if (value === null) return '';
      const joined = i > 0 && curve[i - 1]?.value !== null;
      return `${joined ? 'L' : 'M'}${round(x(step))} ${round(y(value))}`;
    })
    .join('');
}

/** Dots where there are few points, and where one stands alone. */
function points({ curve, raw }: Series, { x, y, colour }: Plot & { readonly colour: string }): Html {
  if (raw) return html``;
  const few = curve.length <= 12;
  const dots = curve.flatMap(({ step, value }, i) => {
    if (value === null) return [];
    const alone = (curve[i - 1]?.value ?? null) === null && (curve[i + 1]?.value ?? null) === null;
    return few || alone
      ? [html`<circle class="dot ${colour}" cx="${round(x(step))}" cy="${round(y(value))}" r="2.5"/>`]
      : [];
  });
  return html`${dots}`;
}

function band({ curve, spread }: Series, { x, y, colour }: Plot & { readonly colour: string }): Html {
  if (!spread) return html``;
  const inside = curve.flatMap(({ step, value }, i) => {
    const reach = spread[i] ?? null;
    return value === null || reach === null ? [] : [{ step, low: value - reach, high: value + reach }];
  });
  const upper = inside.map(({ step, high }) => `${round(x(step))},${round(y(high))}`);
  const lower = inside.map(({ step, low }) => `${round(x(step))},${round(y(low))}`).reverse();
  return html`<polygon class="band ${colour}" points="${[...upper, ...lower].join(' ')}"/>`;
}

function describe(series: readonly Series[]): string {
  const texts = series.map(({ name, curve }) => {
    const known = curve.flatMap(({ step, value }) => (value === null ? [] : [{ step, value }]));
    const [first, last] = [known[0], known.at(-1)];
    return first && last
      ? `${name}: ${brief(first.value)} at step ${first.step}, ${brief(last.value)} at step ${last.step}.`
      : '';
  });
  return shortened(texts.join(' '), 1000);
}

type Range = readonly [low: number, high: number];

function extentOf(series: readonly Series[]): { readonly steps: Range; readonly values: Range } | null {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const { curve, spread } of series) {
    curve.forEach(({ step, value }, i) => {
      if (value === null) return;
      const reach = spread?.[i] ?? 0;
      [left, right] = [Math.min(left, step), Math.max(right, step)];
      [low, high] = [Math.min(low, value - reach), Math.max(high, value + reach)];
    });
  }
  if (left > right) return null;
  const room = high > low ? (high - low) * 0.05 : Math.abs(high) * 0.1 || 1;
  return { steps: left < right ? [left, right] : [left - 1, right + 1], values: [low - room, high + room] };
}

/** Round numbers within a range: multiples of 1, 2 or 5 times a power of ten, at most `most` of them. */
export function ticks([low, high]: Range, most: number): number[] {
  const power = 10 ** Math.floor(Math.log10((high - low) / most));
  for (const factor of [1, 2, 5, 10]) {
    const distance = factor * power;
    const first = Math.ceil(low / distance);
    const count = Math.floor(high / distance) - first + 1;
    if (count > most) continue;
    return Array.from({ length: count }, (_, i) => Number(((first + i) * distance).toPrecision(12)));
  }
  return [];
}

function scaled(value: number, [low, high]: Range, [from, to]: Range): number {
  return from + ((value - low) / (high - low)) * (to - from);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
