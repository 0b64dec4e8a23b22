/** Means with their intervals as dots and whiskers, one row each, against a line at zero: a figure in SVG with its text. */
import { brief } from '../numbers.ts';
import { type Html, html, shortened } from './html.ts';
import { ticks } from './line-chart.ts';

export interface IntervalRow {
  readonly label: string;
  /** Rows of one series have one colour; the legend names them when there are several. */
  readonly series: string;
  readonly mean: number;
  readonly interval: readonly [low: number, high: number] | null;
}

export interface IntervalChartOptions {
  readonly title: string;
  readonly unit: string;
  readonly rows: readonly IntervalRow[];
}

const width = 480;
const frame = { left: 150, right: 466, top: 8 };
const rowHeight = 17;

/** The figure, or nothing when there are no rows. */
export function intervalChart({ title, unit, rows }: IntervalChartOptions): Html {
  const shown = rows.filter(({ mean }) => Number.isFinite(mean));
  if (shown.length === 0) return html``;
  const ends = shown.flatMap(({ mean, interval }) => [mean, ...(interval ?? [])]);
  const [low, high] = [Math.min(0, ...ends), Math.max(0, ...ends)];
  const room = (high - low) * 0.04 || 1;
  const range = [low - room, high + room] as const;
  const bottom = frame.top + shown.length * rowHeight + 4;
  const x = (value: number) =>
    Math.round((frame.left + ((value - range[0]) / (range[1] - range[0])) * (frame.right - frame.left)) * 10) / 10;
  const series = [...new Set(shown.map((row) => row.series))];
  const colour = (name: string) => `c${series.indexOf(name) % 8}`;
  const middle = (i: number) => frame.top + i * rowHeight + rowHeight / 2;
  return html`<figure class="chart">
<figcaption>${title}${unit && ` (${unit})`}</figcaption>
<svg viewBox="0 0 ${width} ${bottom + 22}" role="img">
<title>${title}</title>
<desc>${describe(shown, series.length > 1)}</desc>
${ticks(range, 6).map((tick) => html`<line class="${tick === 0 ? 'axis' : 'grid'}" x1="${x(tick)}" x2="${x(tick)}" y1="${frame.top}" y2="${bottom}"/><text class="tick" x="${x(tick)}" y="${bottom + 15}" text-anchor="middle">${brief(tick)}</text>`)}
${shown.map(
  (row, i) =>
    html`<text class="tick" x="${frame.left - 8}" y="${middle(i) + 4}" text-anchor="end">${shortened(row.label, 26)}</text>${row.interval && html`<line class="line ${colour(row.series)}" x1="${x(row.interval[0])}" x2="${x(row.interval[1])}" y1="${middle(i)}" y2="${middle(i)}"/>`}<circle class="dot ${colour(row.series)}" cx="${x(row.mean)}" cy="${middle(i)}" r="3.5"/>`,
)}
</svg>
${series.length > 1 && html`<ul class="legend">${series.map((name) => html`<li><span class="key ${colour(name)}"></span>${shortened(name, 40)}</li>`)}</ul>`}
</figure>`;
}

function describe(rows: readonly IntervalRow[], several: boolean): string {
  const texts = rows.map(({ label, series, mean, interval }) => {
    const ends = interval ? ` from ${brief(interval[0])} to ${brief(interval[1])}` : ' without an interval';
    return `${several ? `${series}, ` : ''}${label}: ${brief(mean)}${ends}.`;
  });
  return shortened(texts.join(' '), 3000);
}
