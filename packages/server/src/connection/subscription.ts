/**
 * One subscription of one client: a position in a feed. It sends while the client takes, from memory or from the log on disk, and
 * when the client has fallen behind what happens live it does what the class of the channel says. History is never thinned: it
 * is read at the speed of the client.
 */
import { backlogLimits } from '../limits.ts';
import { encodeFrame, mediaOf } from '../protocol/frame.ts';
import type { Subscribe } from '../protocol/subscriptions.ts';
import { type EncodedEvent, eventsFrame, type Feed, type FeedSubscriber, type HistoryReader } from '../runs/feed.ts';
import type { Statistics } from '../statistics.ts';
import type { Outbox } from './outbox.ts';
import { wireFrame } from './wire-frame.ts';

/** Of one frame of events; about what a socket takes at once. */
const batchBytes = 1 << 16;

export interface SubscriptionOptions {
  readonly outbox: Outbox;
  readonly statistics: Statistics;
  /** Of the first event to deliver. */
  readonly offset: number;
  /** The feed is over. */
  readonly onEnd: (error: unknown) => void;
}

type Wish = Pick<Subscribe, 'id' | 'channel' | 'every' | 'maxRate' | 'images'>;

export class Subscription implements FeedSubscriber, Disposable {
  readonly #feed: Feed;
  readonly #wish: Wish;
  readonly #options: SubscriptionOptions;
  readonly #leaving: Disposable;
  /** Pictures are to be sent in the place of their events. */
  readonly #binary: boolean;
  readonly #size: 'full' | 'thumbnail';
  #next: number;
  /** Has caught up once: from then on it may be behind, before that it reads history. */
  #live: boolean;
  #busy: boolean = false;
  #closed: boolean = false;
  #reader: HistoryReader | undefined;
  /** Of the history, read and perhaps not yet sent. */
  #held: readonly EncodedEvent[] = [];
  #sentAt = 0;
  #rateTimer: NodeJS.Timeout | undefined;

  constructor(feed: Feed, wish: Wish, options: SubscriptionOptions) {
    this.#feed = feed;
    this.#wish = wish;
    this.#options = options;
    this.#binary = wish.channel === 'images' && (wish.images ?? 'announce') !== 'announce';
    this.#size = wish.images === 'thumbnail' ? 'thumbnail' : 'full';
    this.#next = options.offset;
    this.#live = options.offset >= feed.head;
    this.#leaving = feed.subscribe(this);
  }

  /** Of the next event to deliver. */
  get offset(): number {
    return this.#next;
  }

  get lossless(): boolean {
    return this.#feed.class === 'lossless';
  }

  end(error: unknown): void {
    this.#options.onEnd(error);
  }

  /** Sends what can be sent now. */
  wake(): void {
    while (!this.#busy && !this.#closed && this.#next < this.#feed.head && this.#options.outbox.hasRoom) {
      if (this.#live && !this.lossless && !this.#keepUp()) return;
      const events = this.#feed.recent.slice(this.#next, batchBytes);
      // Making thumbnails takes long: others get their turn in between.
      if (events === undefined || (this.#binary && (!this.#live || this.#size === 'thumbnail'))) {
        this.#busy = true;
        this.#deliverSlowly(events).then(this.#idle, (error) => this.end(error));
        return;
      }
      if (!this.#binary) this.#deliver(events);
      else if (!this.#deliverNewPictures(events)) return;
    }
    if (this.#next >= this.#feed.head) this.#live = true;
  }

  readonly #idle = (): void => {
    this.#busy = false;
    this.wake();
  };

  /** Skips what is too old or too frequent; false when nothing may be sent now. */
  #keepUp(): boolean {
    const { recent, head } = this.#feed;
    const { maxRate } = this.#wish;
    if (maxRate !== undefined) {
      const waitMs = this.#sentAt + 1000 / maxRate - performance.now();
      if (waitMs > 0) {
        this.#rateTimer ??= setTimeout(() => {
          this.#rateTimer = undefined;
          this.wake();
        }, waitMs);
        return false;
      }
      this.#sentAt = performance.now();
      this.#skipTo(head - 1, 'rate');
      return true;
    }
    const oldest = recent.tailOffset(backlogLimits);
    if (this.#next < oldest) this.#skipTo(this.#feed.class === 'coalesce' ? head - 1 : oldest, 'slow');
    return true;
  }

  #skipTo(offset: number, reason: 'slow' | 'rate'): void {
    const from = this.#next;
    if (offset <= from) return;
    this.#next = offset;
    if (reason === 'slow' && this.#feed.class !== 'lossless') {
      this.#options.statistics.dropped[this.#feed.class] += offset - from;
    }
    this.#options.outbox.message({ op: 'dropped', id: this.#wish.id, from, to: offset, reason });
  }

  #deliver(events: readonly EncodedEvent[]): void {
    const { outbox, statistics } = this.#options;
    this.#next = (events.at(-1)?.offset ?? this.#next) + 1;
    const wanted = this.#wanted(events);
    const [first, last] = [wanted[0], wanted.at(-1)];
    if (!first || !last) return;
    const { id } = this.#wish;
    const make = () => wireFrame(eventsFrame(id, wanted), 'text');
    const whole = wanted.length === last.offset - first.offset + 1;
    outbox.send(whole ? this.#feed.recent.shared(`${id} ${first.offset} ${last.offset}`, make) : make());
    statistics.events += wanted.length;
    if (this.#live) statistics.addDelay(Date.now() - first.timeMs);
  }

  #wanted(events: readonly EncodedEvent[]): readonly EncodedEvent[] {
    const { every } = this.#wish;
    return every === undefined ? events : events.filter(({ offset }) => offset % every === 0);
  }

  /** From the disk: older events, and the bytes of pictures. */
  async #deliverSlowly(recent: readonly EncodedEvent[] | undefined): Promise<void> {
    const events = recent ?? (await this.#readHistory());
    if (this.#closed) return;
    if (!this.#binary) this.#deliver(events);
    else if (!(await this.#deliverPictures(this.#wanted(events)))) return;
    // Nothing of this batch is left, also when the last of it was not wanted.
    this.#next = Math.max(this.#next, (events.at(-1)?.offset ?? -1) + 1);
    if (this.#next >= (this.#feed.recent.from ?? this.#feed.head)) await this.#closeReader();
  }

  async #readHistory(): Promise<readonly EncodedEvent[]> {
    const left = this.#held.filter(({ offset }) => offset >= this.#next);
    if (left[0]?.offset === this.#next) return left;
    if (this.#reader?.offset !== this.#next) {
      await this.#closeReader();
      this.#reader = this.#feed.history?.(this.#next);
      this.#options.statistics.replays++;
    }
    const reader = this.#reader;
    // Much of a log can be read without waiting for anything: what happens live goes first.
    await new Promise((resolve) => setImmediate(resolve));
    if (reader === undefined) {
      this.#skipTo(this.#feed.recent.from ?? this.#feed.head, 'slow');
      return [];
    }
    this.#held = await reader.read(this.#feed.head, batchBytes);
    return this.#held;
  }

  /** False when there is no room for more now, or the client has gone. */
  async #deliverPictures(events: readonly EncodedEvent[]): Promise<boolean> {
    const { pictures } = this.#feed;
    for (const event of events) {
      if (!this.#options.outbox.hasRoom) return false;
      const { picture } = event;
      const bytes = await (picture && pictures?.load(picture.name, this.#size).catch(() => undefined));
      if (this.#closed || !this.#deliverPicture(event, bytes)) return false;
    }
    return true;
  }

  /** Those that have just happened: they need not be waited for, and all clients are sent them in one go. False as above, or at a fault. */
  #deliverNewPictures(events: readonly EncodedEvent[]): boolean {
    const { pictures } = this.#feed;
    try {
      for (const event of this.#wanted(events)) {
        let bytes: Uint8Array | undefined;
        try {
          bytes = event.picture && pictures?.loadNow(event.picture.name, this.#size);
        } catch {
          // Its file is lost: the name is all that there is.
        }
        if (!this.#deliverPicture(event, bytes)) return false;
      }
    } catch (error) {
      this.end(error);
      return false;
    }
    this.#next = (events.at(-1)?.offset ?? this.#next) + 1;
    return true;
  }

  #deliverPicture(event: EncodedEvent, bytes: Uint8Array | undefined): boolean {
    const { offset, seq, timeMs, picture } = event;
    const { outbox, statistics } = this.#options;
    if (!outbox.hasRoom) return false;
    this.#next = offset + 1;
    const { id } = this.#wish;
    if (!picture || !bytes) {
      outbox.sendText(eventsFrame(id, [event]));
      return true;
    }
    const { name, index } = picture;
    const frame = this.#feed.recent.shared(`${id} ${offset} ${this.#size}`, () => {
      const [sha256 = ''] = name.split('.');
      const of = { kind: 'event', thumbnail: this.#size === 'thumbnail', media: mediaOf(name), sha256 } as const;
      return wireFrame(encodeFrame({ ...of, id, index, offset, timeMs, seq, bytes }), 'binary');
    });
    outbox.send(frame);
    statistics.images++;
    if (this.#live) statistics.addDelay(Date.now() - timeMs);
    return true;
  }

  async #closeReader(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    this.#held = [];
    await reader?.[Symbol.asyncDispose]();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#rateTimer);
    this.#leaving[Symbol.dispose]();
    this.#closeReader().catch(() => undefined); // only its file is closed
  }
}
