/**
 * What a subscription reads: the events of one channel by offset, the newest of them in memory, older ones perhaps from elsewhere.
 * Nothing is queued for each client: a client is a position in the feed, so a thousand slow ones take no more memory than one.
 */
import type { ChannelClass } from '../protocol/channels.ts';

/** An event as it is sent, encoded once for everybody. */
export interface EncodedEvent {
  readonly offset: number;
  readonly seq: number;
  readonly timeMs: number;
  readonly json: string;
  /** Of the channel `images`: what the event names. */
  readonly picture?: { readonly name: string; readonly index: number };
}

export interface Feed {
  readonly epoch: string;
  readonly class: ChannelClass;
  /** Offset of the next event to happen. */
  readonly head: number;
  readonly recent: RecentEvents;
  /** Reads from an offset on, below `head`, what is not in memory any more. Absent = it is gone. */
  readonly history?: (offset: number) => HistoryReader;
  /** Of a run: the bytes of a picture. */
  readonly pictures?: PictureSource;
  /** `wake` is called some time after events were added; `end` when there will be none any more. */
  subscribe(subscriber: FeedSubscriber): Disposable;
}

export interface FeedSubscriber {
  wake(): void;
  end(error: unknown): void;
}

export interface HistoryReader extends AsyncDisposable {
  /** Of the next event. */
  readonly offset: number;
  /** The next events up to offset `until` (not included), some `bytes` of them. Never waits for events to happen. */
  read(until: number, bytes: number): Promise<readonly EncodedEvent[]>;
}

export interface PictureSource {
  /** At once; for pictures that were written a moment ago. */
  loadNow(name: string, size: 'full' | 'thumbnail'): Uint8Array;
  load(name: string, size: 'full' | 'thumbnail'): Promise<Uint8Array>;
}

/** The text frame of events that follow each other in a subscription. */
export function eventsFrame(id: number, events: readonly EncodedEvent[]): Buffer {
  return Buffer.from(`{"op":"events","id":${id},"events":[${events.map(({ json }) => json).join(',')}]}`);
}

/** Frames that are kept to be sent again; more different ones are made for each client. */
const sharedLimits = { count: 64, bytes: 4 << 20 } as const;

/** The newest events, bounded by count and by bytes. */
export class RecentEvents {
  readonly #maxCount: number;
  readonly #maxBytes: number;
  #events: EncodedEvent[] = [];
  #bytes = 0;
  /** Frames of this moment. */
  readonly #shared = new Map<string, Uint8Array>();
  #sharedBytes = 0;

  constructor(limits: { readonly count: number; readonly bytes: number }) {
    this.#maxCount = limits.count;
    this.#maxBytes = limits.bytes;
  }

  /** Offsets must follow each other. */
  push(event: EncodedEvent): void {
    this.#shared.clear();
    this.#sharedBytes = 0;
    this.#events.push(event);
    this.#bytes += event.json.length;
    while (this.#events.length > this.#maxCount || (this.#bytes > this.#maxBytes && this.#events.length > 1)) {
      this.#bytes -= this.#events.shift()?.json.length ?? 0;
    }
  }

  /** Offset of the oldest event here; undefined when there is none. */
  get from(): number | undefined {
    return this.#events[0]?.offset;
  }

  /** Events from an offset on, at least one, some `bytes` of them; undefined when the first is not here. */
  slice(offset: number, bytes: number): readonly EncodedEvent[] | undefined {
    const begin = offset - (this.from ?? Number.POSITIVE_INFINITY);
    if (begin < 0 || begin >= this.#events.length) return undefined;
    let end = begin;
    for (let total = 0; end < this.#events.length && total < bytes; end++) total += this.#events[end]?.json.length ?? 0;
    return this.#events.slice(begin, end);
  }

  /**
   * A frame that has been made for another client since the last event, or is made now. Clients of one program choose the same ids and
   * wait at the same place, so one frame does for all of them. `key` must say all that is in it.
   */
  shared(key: string, make: () => Uint8Array): Uint8Array {
    const made = this.#shared.get(key);
    if (made) return made;
    const frame = make();
    if (this.#shared.size < sharedLimits.count && this.#sharedBytes + frame.length <= sharedLimits.bytes) {
      this.#shared.set(key, frame);
      this.#sharedBytes += frame.length;
    }
    return frame;
  }

  /** The offset from which at most `count` events, of at most `bytes` together, are left; at least the newest one. */
  tailOffset(limits: { readonly count: number; readonly bytes: number }): number {
    let bytes = 0;
    let left = 0;
    for (let i = this.#events.length - 1; i >= 0 && left < limits.count; i--, left++) {
      bytes += this.#events[i]?.json.length ?? 0;
      if (bytes > limits.bytes && left > 0) break;
    }
    return (this.#events.at(-1)?.offset ?? -1) + 1 - left;
  }
}
