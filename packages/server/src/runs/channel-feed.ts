/** One channel of a run: where in the log each of its events is, the newest ones, and who wants to hear of more. */
import { type JsonValue, type LogEvent, tailEvents } from '@gvu/core';
import type { RunChannelName } from '../protocol/channel-names.ts';
import { type ChannelClass, classOf, entriesOf } from '../protocol/channels.ts';
import {
  type EncodedEvent,
  type Feed,
  type FeedSubscriber,
  type HistoryReader,
  type PictureSource,
  RecentEvents,
} from './feed.ts';

export class ChannelFeed implements Feed {
  readonly epoch: string;
  readonly class: ChannelClass;
  readonly pictures: PictureSource;
  readonly recent = new RecentEvents({ count: 1024, bytes: 8 << 20 });
  readonly #name: RunChannelName;
  readonly #directory: string;
  /** Sequence number in the log by offset. */
  readonly #seqs: number[] = [];
  readonly #subscribers = new Set<FeedSubscriber>();
  #changed: boolean = false;

  constructor(
    name: RunChannelName,
    log: { readonly directory: string; readonly epoch: string; readonly pictures: PictureSource },
  ) {
    this.#name = name;
    this.#directory = log.directory;
    this.epoch = log.epoch;
    this.pictures = log.pictures;
    this.class = classOf(name);
  }

  get head(): number {
    return this.#seqs.length;
  }

  /** Takes up an event of the past, which stays on the disk. */
  index(event: LogEvent): void {
    for (const _ of entriesOf(this.#name, event)) this.#seqs.push(event.seq);
  }

  /** Takes up an event that has just happened. `data` gives that of the event as JSON, made once for all channels. */
  add(event: LogEvent, data: () => string): void {
    for (const encoded of encode(this.#name, event, this.head, data)) {
      this.#seqs.push(event.seq);
      this.recent.push(encoded);
      this.#changed = true;
    }
  }

  /** Wakes subscribers if anything was added since the last time. */
  notify(): void {
    if (!this.#changed) return;
    this.#changed = false;
    for (const subscriber of this.#subscribers) subscriber.wake();
  }

  end(error: unknown): void {
    for (const subscriber of [...this.#subscribers]) subscriber.end(error);
  }

  subscribe(subscriber: FeedSubscriber): Disposable {
    this.#subscribers.add(subscriber);
    return { [Symbol.dispose]: () => void this.#subscribers.delete(subscriber) };
  }

  history(offset: number): HistoryReader {
    const seq = this.#seqs[offset] ?? 0;
    let first = offset; // an event of the log may be several of the channel
    while (first > 0 && this.#seqs[first - 1] === seq) first--;
    return new LogReader(this.#name, { directory: this.#directory, epoch: this.epoch, seq, first, offset });
  }
}

function encode(
  channel: RunChannelName,
  event: LogEvent,
  head: number,
  whole = () => JSON.stringify(event.data),
): EncodedEvent[] {
  return entriesOf(channel, event).map(({ type, data }, i) => {
    const { seq, time } = event;
    const offset = head + i;
    const text = data === event.data ? whole() : JSON.stringify(data);
    const json = `{"offset":${offset},"seq":${seq},"time":${JSON.stringify(time)},"type":${JSON.stringify(type)},"data":${text}}`;
    const picture = channel === 'images' ? { picture: pictureOf(data) } : {};
    return { offset, seq, timeMs: Date.parse(time), json, ...picture };
  });
}

/** `entriesOf` has made this data. */
function pictureOf(data: JsonValue): { name: string; index: number } {
  const { image, index } = data as { image: string; index: number };
  return { name: image, index };
}

class LogReader implements HistoryReader {
  readonly #channel: RunChannelName;
  readonly #abort = new AbortController();
  readonly #events: Promise<AsyncIterator<LogEvent>>;
  /** Offset of the first event of the channel that the next event of the log is. */
  #first: number;
  offset: number;

  constructor(
    channel: RunChannelName,
    at: { readonly directory: string; epoch: string; seq: number; first: number; offset: number },
  ) {
    this.#channel = channel;
    this.#first = at.first;
    this.offset = at.offset;
    this.#events = tailEvents(at.directory, {
      from: { epoch: at.epoch, offset: at.seq },
      signal: this.#abort.signal,
    }).then((tail) => tail[Symbol.asyncIterator]());
    this.#events.catch(() => undefined); // `read` reports it
  }

  async read(until: number, bytes: number): Promise<readonly EncodedEvent[]> {
    const iterator = await this.#events;
    const batch: EncodedEvent[] = [];
    for (let total = 0; this.offset < until && total < bytes; ) {
      const { value: event, done } = await iterator.next();
      if (done) break;
      const encoded = encode(this.#channel, event, this.#first);
      this.#first += encoded.length;
      for (const item of encoded) {
        if (item.offset < this.offset) continue;
        batch.push(item);
        total += item.json.length;
        this.offset = item.offset + 1;
      }
    }
    return batch;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    const iterator = await this.#events.catch(() => undefined);
    await iterator?.return?.();
  }
}
