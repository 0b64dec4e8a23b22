/** What the server counts of itself. */
import type { StatsData } from './protocol/server-payloads.ts';

const kept = 4096;

export class Statistics {
  events = 0;
  images = 0;
  bytes = 0;
  replays = 0;
  readonly dropped = { coalesce: 0, 'drop-oldest': 0 };
  readonly #delays = new Float64Array(kept);
  #delayCount = 0;

  /** A live delivery: from the time of the event to now. */
  addDelay(ms: number): void {
    this.#delays[this.#delayCount++ % kept] = ms;
  }

  snapshot(now: Pick<StatsData, 'connections' | 'subscriptions' | 'bufferedBytes'>): StatsData {
    const { events, images, bytes, replays, dropped } = this;
    const delays = this.#delays.slice(0, Math.min(this.#delayCount, kept)).sort();
    const quantile = (q: number) => delays[Math.ceil(q * delays.length) - 1] ?? null;
    return {
      ...now,
      events,
      images,
      bytes,
      replays,
      dropped: { ...dropped },
      delayMs: { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) },
    };
  }
}
