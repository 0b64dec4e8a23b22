/** The subscriptions of one client, by the ids that it chose. */
import { serverErrors } from '../errors.ts';
import { failureOf } from '../failure.ts';
import { classOf } from '../protocol/channels.ts';
import type { Scope } from '../protocol/hello.ts';
import type { From, Subscribe } from '../protocol/subscriptions.ts';
import type { Feed } from '../runs/feed.ts';
import { asRunError } from '../runs/run-directory.ts';
import type { ServerContext } from '../server-context.ts';
import type { Outbox } from './outbox.ts';
import { Subscription } from './subscription.ts';

interface Entry {
  subscription?: Subscription;
  /** Gives the feed back. */
  lease?: Disposable;
}

export class Subscriptions implements Disposable {
  readonly #outbox: Outbox;
  readonly #context: ServerContext;
  readonly #scopes: ReadonlySet<Scope>;
  readonly #entries = new Map<number, Entry>();
  #closed: boolean = false;
  #first = 0;

  constructor(outbox: Outbox, context: ServerContext, scopes: ReadonlySet<Scope>) {
    this.#outbox = outbox;
    this.#context = context;
    this.#scopes = scopes;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Begins a subscription, or tells the client why not. */
  async add(wish: Subscribe): Promise<void> {
    const { id } = wish;
    if (this.#entries.has(id)) {
      const taken = serverErrors.error('GVU_SERVER_SUBSCRIPTION', `The id ${id} is in use.`);
      return this.#outbox.message({ op: 'error', id, error: failureOf(taken) }); // `unsubscribed` would end the other one
    }
    const entry: Entry = {};
    try {
      this.#require(wish);
      this.#entries.set(id, entry); // taken from now on, though opening takes time
      const feed = await this.#open(wish, entry);
      if (this.#closed || this.#entries.get(id) !== entry) return entry.lease?.[Symbol.dispose]();
      this.#begin(wish, feed, entry);
    } catch (error) {
      if (this.#entries.get(id) === entry) this.#entries.delete(id);
      entry.lease?.[Symbol.dispose]();
      if (!this.#closed) this.#tellEnd(id, error);
    }
  }

  /** Ends a subscription, also one that is still being opened. */
  remove(id: number): void {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    entry?.subscription?.[Symbol.dispose]();
    entry?.lease?.[Symbol.dispose]();
    this.#outbox.message({ op: 'unsubscribed', id });
  }

  /** There is room: every one gets its turn to be first. */
  wake(): void {
    const entries = [...this.#entries.values()];
    this.#first = (this.#first + 1) % Math.max(1, entries.length);
    for (const { subscription } of [...entries.slice(this.#first), ...entries.slice(0, this.#first)])
      subscription?.wake();
  }

  /** How far the lossless ones have come. */
  losslessOffsets(): readonly { readonly id: number; readonly offset: number }[] {
    return [...this.#entries].flatMap(([id, { subscription }]) =>
      subscription?.lossless ? [{ id, offset: subscription.offset }] : [],
    );
  }

  #require({ channel, run, every, maxRate }: Subscribe): void {
    if (!this.#scopes.has('read')) {
      throw serverErrors.error('GVU_SERVER_SCOPE', 'Subscribing takes the scope "read".');
    }
    const { subscriptions } = this.#context.limits;
    const problem =
      this.#entries.size >= subscriptions
        ? `There are ${subscriptions} already.`
        : channel !== 'server' && run === undefined
          ? `The channel ${channel} is of a run, and none is named.`
          : classOf(channel) === 'lossless' && (every !== undefined || maxRate !== undefined)
            ? `The channel ${channel} loses nothing: it takes neither "every" nor "maxRate".`
            : undefined;
    if (problem) throw serverErrors.error('GVU_SERVER_SUBSCRIPTION', problem);
  }

  async #open({ channel, run = '' }: Subscribe, entry: Entry): Promise<Feed> {
    if (channel === 'server') return this.#context.serverFeed;
    const lease = await this.#context.feeds.acquire(run);
    entry.lease = lease;
    return lease.feed.channels[channel];
  }

  #begin(wish: Subscribe, feed: Feed, entry: Entry): void {
    const { id, channel, run } = wish;
    const { offset, recovered } = startOf(wish.from, feed);
    const { epoch, head } = feed;
    const ofRun = channel === 'server' ? null : (run ?? null);
    this.#outbox.message({ op: 'subscribed', id, run: ofRun, channel, epoch, offset, head, recovered });
    entry.subscription = new Subscription(feed, wish, {
      outbox: this.#outbox,
      statistics: this.#context.statistics,
      offset,
      onEnd: (error) => this.#end(id, entry, run === undefined ? error : asRunError(run, error)),
    });
    entry.subscription.wake();
  }

  #end(id: number, entry: Entry, error: unknown): void {
    if (this.#entries.get(id) !== entry) return;
    this.#entries.delete(id);
    entry.subscription?.[Symbol.dispose]();
    entry.lease?.[Symbol.dispose]();
    this.#tellEnd(id, error);
  }

  #tellEnd(id: number, thrown: unknown): void {
    const error = failureOf(thrown);
    if (error.code === 'GVU_SERVER_INTERNAL') this.#context.log({ event: 'failed', error: thrown });
    this.#outbox.message({ op: 'unsubscribed', id, error });
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const { subscription, lease } of this.#entries.values()) {
      subscription?.[Symbol.dispose]();
      lease?.[Symbol.dispose]();
    }
    this.#entries.clear();
  }
}

/** The first offset to deliver, and whether that is what was asked for. */
function startOf(from: From, { epoch, head, recent, history }: Feed): { offset: number; recovered: boolean } {
  const earliest = history ? 0 : (recent.from ?? head);
  if (from === 'earliest') return { offset: earliest, recovered: true };
  if (from === 'latest') return { offset: head, recovered: true };
  const recovered = from.epoch === epoch && from.offset <= head && from.offset >= earliest;
  return { offset: recovered ? from.offset : earliest, recovered };
}
