/**
 * Curves as they are drawn: at most two points for each pixel, the least and the greatest of what falls on it, in the order in which they
 * come, so that no spike is lost and a hundred thousand points cost no more than the width of the screen.
 */
import type { Curve } from '../data/metric-table.ts';

export interface View {
  /** The steps at both ends. */
  readonly from: number;
  readonly to: number;
  readonly pixels: number;
}

/** What uPlot takes: positions, then a list for each curve. null = a gap; undefined = nothing here, the line goes on. */
export type Drawn = [number[], ...(number | null | undefined)[][]];

/** All curves over one list of positions. */
export function decimate(curves: readonly Curve[], view: View): Drawn {
  const ranges = curves.map((curve) => rangeOf(curve, view));
  const most = Math.max(0, ...ranges.map(([start, end]) => end - start));
  return most <= 2 * view.pixels ? exact(curves, ranges) : perPixel(curves, { ranges, view });
}

/** The rows in view, and one on either side, for the line to leave the picture. */
function rangeOf({ xs, length }: Curve, { from, to }: View): readonly [start: number, end: number] {
  return [Math.max(0, firstFrom(xs, length, from) - 1), Math.min(length, firstFrom(xs, length, to) + 2)];
}

function firstFrom(xs: Float64Array, length: number, x: number): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((xs[middle] ?? 0) < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

type Ranges = readonly (readonly [start: number, end: number])[];

function exact(curves: readonly Curve[], ranges: Ranges): Drawn {
  const all = new Set<number>();
  for (const [i, { xs }] of curves.entries()) {
    const [start, end] = ranges[i] ?? [0, 0];
    for (let row = start; row < end; row++) all.add(xs[row] ?? 0);
  }
  const positions = [...all].sort((a, b) => a - b);
  const slots = new Map(positions.map((x, slot) => [x, slot]));
  const lists = curves.map(({ xs, ys }, i) => {
    const list = new Array<number | null | undefined>(positions.length).fill(undefined);
    const [start, end] = ranges[i] ?? [0, 0];
    for (let row = start; row < end; row++) list[slots.get(xs[row] ?? 0) ?? 0] = finiteOrNull(ys[row]);
    return list;
  });
  return [positions, ...lists];
}

function perPixel(curves: readonly Curve[], { ranges, view }: { readonly ranges: Ranges; readonly view: View }): Drawn {
  const { from, to, pixels } = view;
  const width = (to - from) / pixels;
  // Two places in each pixel, and one pixel on either side.
  const positions = Array.from(
    { length: 2 * (pixels + 2) },
    (_, slot) => from + ((slot >> 1) - 0.75 + (slot & 1) / 2) * width,
  );
  const lists = curves.map(({ xs, ys }, i) => {
    const list = new Array<number | null | undefined>(positions.length).fill(undefined);
    let [row, end] = ranges[i] ?? [0, 0];
    while (row < end) {
      const pixel = Math.min(pixels, Math.max(-1, Math.floor(((xs[row] ?? 0) - from) / width)));
      let [least, greatest, leastRow, greatestRow] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, row, row];
      const limit = pixel === pixels ? Number.POSITIVE_INFINITY : from + (pixel + 1) * width;
      do {
        const y = ys[row] ?? Number.NaN;
        if (y < least) [least, leastRow] = [y, row];
        if (y > greatest) [greatest, greatestRow] = [y, row];
        row++;
      } while (row < end && (xs[row] ?? 0) < limit);
      const slot = 2 * (pixel + 1);
      if (greatest < least) [list[slot], list[slot + 1]] = [null, null];
      else [list[slot], list[slot + 1]] = leastRow <= greatestRow ? [least, greatest] : [greatest, least];
    }
    return list;
  });
  return [positions, ...lists];
}

function finiteOrNull(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : value;
}
