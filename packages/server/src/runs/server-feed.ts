/** The channel `server`: what the server says of itself, made only while somebody listens, and kept only for a moment. */
import { randomUUID } from 'node:crypto';
import type { JsonValue } from '@gvu/core';
import { type Feed, type FeedSubscriber, RecentEvents } from './feed.ts';

export class ServerFeed implements Feed {
  readonly epoch = randomUUID();
  readonly class = 'coalesce';
  readonly recent = new RecentEvents({ count: 16, bytes: 1 << 20 });
  readonly #subscribers = new Set<FeedSubscriber>();
  #head = 0;

  get head(): number {
    return this.#head;
  }

  get hasSubscribers(): boolean {
    return this.#subscribers.size > 0;
  }

  add(type: string, data: JsonValue): void {
    const offset = this.#head++;
    const now = new Date();
    const json = JSON.stringify({ offset, seq: offset, time: now.toISOString(), type, data });
    this.recent.push({ offset, seq: offset, timeMs: now.getTime(), json });
    for (const subscriber of this.#subscribers) subscriber.wake();
  }

  subscribe(subscriber: FeedSubscriber): Disposable {
    this.#subscribers.add(subscriber);
    return { [Symbol.dispose]: () => void this.#subscribers.delete(subscriber) };
  }
}
