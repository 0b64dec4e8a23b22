/**
 * Interleaved timing: every contender runs once a round, in turning order, so that slow phases of the machine hit all alike.
 * Ratios are taken round by round; medians and quartiles are reported beside the minimum.
 */

export interface Contender {
  readonly name: string;
  /** Runs once; gives the milliseconds it took, or nothing to be timed from outside. */
  readonly run: () => Promise<number | undefined>;
}

export interface Timing {
  readonly min: number;
  readonly median: number;
  /** First and third quartile. */
  readonly quartiles: readonly [number, number];
  readonly runs: number;
}

export type Rounds = ReadonlyMap<string, readonly number[]>;

export async function timeRounds(contenders: readonly Contender[], rounds: number): Promise<Rounds> {
  const times = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = -1; round < rounds; round++)
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(i + Math.max(round, 0)) % contenders.length];
      if (!contender) continue;
      const start = performance.now();
      const own = await contender.run();
      // The first round warms up.
      if (round >= 0) times.get(contender.name)?.push(own ?? performance.now() - start);
    }
  return times;
}

export function summarise(values: readonly number[]): Timing {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN);
  return { min: at(0), median: at(0.5), quartiles: [at(0.25), at(0.75)], runs: sorted.length };
}

/** Statistics of a/b, round by round. */
export function ratio(times: Rounds, a: string, b: string): Timing {
  const [over, under] = [times.get(a) ?? [], times.get(b) ?? []];
  return summarise(over.map((value, i) => value / (under[i] ?? Number.NaN)));
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
