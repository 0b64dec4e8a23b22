/** The metrics of a run: a column of numbers for each name, by step. Made for a hundred thousand steps that arrive one by one. */
import type { Logged } from './branches.ts';

/** Numbers by step: `xs` ascends, NaN where there is none. Only the first `length` of each count. */
export interface Curve {
  readonly xs: Float64Array;
  readonly ys: Float64Array;
  readonly length: number;
}

export class MetricTable {
  #length = 0;
  #steps = new Float64Array(256);
  #seqs = new Float64Array(256);
  readonly #columns = new Map<string, Float64Array>();

  get length(): number {
    return this.#length;
  }

  get names(): readonly string[] {
    return [...this.#columns.keys()];
  }

  /** Adds the row of a step, or replaces it unless what is there was logged later. */
  put({ seq, step }: Logged, metrics: Readonly<Record<string, unknown>>): void {
    const row = this.#place(step);
    const known = row < this.#length && this.#steps[row] === step;
    if (known && (this.#seqs[row] ?? 0) > seq) return;
    if (!known) this.#insert(row);
    this.#steps[row] = step;
    this.#seqs[row] = seq;
    for (const column of this.#columns.values()) column[row] = Number.NaN;
    for (const [name, value] of Object.entries(metrics)) {
      if (typeof value === 'number') this.#column(name)[row] = value;
    }
  }

  /** Keeps the rows that count. */
  keep(counts: (row: Logged) => boolean): void {
    let kept = 0;
    for (let row = 0; row < this.#length; row++) {
      if (!counts({ seq: this.#seqs[row] ?? 0, step: this.#steps[row] ?? 0 })) continue;
      if (kept !== row) for (const array of this.#arrays()) array[kept] = array[row] ?? Number.NaN;
      kept++;
    }
    this.#length = kept;
  }

  curve(name: string): Curve {
    return { xs: this.#steps, ys: this.#columns.get(name) ?? new Float64Array(0), length: this.#length };
  }

  /** A column made of others, row by row. */
  combine(names: readonly string[], of: (values: readonly number[]) => number): Curve {
    const columns = names.map((name) => this.#columns.get(name));
    const ys = new Float64Array(this.#length);
    for (let row = 0; row < this.#length; row++) ys[row] = of(columns.map((column) => column?.[row] ?? Number.NaN));
    return { xs: this.#steps, ys, length: this.#length };
  }

  /** The newest number of this name; undefined if there is none. */
  last(name: string): number | undefined {
    const value = this.#columns.get(name)?.[this.#length - 1];
    return value === undefined || Number.isNaN(value) ? undefined : value;
  }

  first(name: string): number | undefined {
    const value = this.#length > 0 ? this.#columns.get(name)?.[0] : undefined;
    return value === undefined || Number.isNaN(value) ? undefined : value;
  }

  clear(): void {
    this.#length = 0;
    this.#columns.clear();
  }

  /** The row of a step, or where it belongs. Steps come in order nearly always. */
  #place(step: number): number {
    let [low, high] = [0, this.#length];
    if (high === 0 || (this.#steps[high - 1] ?? 0) < step) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#steps[middle] ?? 0) < step) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(row: number): void {
    if (this.#length === this.#steps.length) this.#grow();
    for (const array of this.#arrays()) array.copyWithin(row + 1, row, this.#length);
    this.#length++;
  }

  #grow(): void {
    const larger = (array: Float64Array) => {
      const copy = new Float64Array(2 * array.length).fill(Number.NaN);
      copy.set(array);
      return copy;
    };
    this.#steps = larger(this.#steps);
    this.#seqs = larger(this.#seqs);
    for (const [name, column] of this.#columns) this.#columns.set(name, larger(column));
  }

  #column(name: string): Float64Array {
    const column = this.#columns.get(name) ?? new Float64Array(this.#steps.length).fill(Number.NaN);
    this.#columns.set(name, column);
    return column;
  }

  #arrays(): readonly Float64Array[] {
    return [this.#steps, this.#seqs, ...this.#columns.values()];
  }
}
