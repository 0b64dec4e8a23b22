/**
 * A subscription as the user of the client sees it: one sequence of what happens, over any number of connections. It knows how far it
 * has come, so it asks again from there, and passes over what it has had.
 *
 * A user who reads slowly does not fill the memory: beyond a bound the subscription is given back, and taken up again later.
 */
import type { ImageFrame } from '../protocol/frame.ts';
import type { ChannelEvent, Dropped, From, Subscribe, Subscribed } from '../protocol/subscriptions.ts';

/** What happens in a subscription, in order. */
export type SubscriptionItem =
  /**
   * It begins, or begins again from another position than where it was: of a new epoch, or because the old position is gone. What was
   * collected before counts no more when `recovered` is false.
   */
  | {
      readonly kind: 'start';
      readonly epoch: string;
      readonly offset: number;
      readonly head: number;
      readonly recovered: boolean;
    }
  | ({ readonly kind: 'event' } & ChannelEvent)
  /** An event of the channel `images` as a picture. */
  | { readonly kind: 'image'; readonly offset: number; readonly frame: ImageFrame }
  /** Offsets that were not delivered. */
  | ({ readonly kind: 'dropped' } & Pick<Dropped, 'from' | 'to' | 'reason'>);

export type SubscriptionWish = Omit<Subscribe, 'op' | 'id'>;

/** Items waiting for a slow user. */
const mostWaiting = 4096;

export interface SubscriptionLink {
  /** Asks the server, if there is a connection; gives the id that was used. */
  readonly ask: (wish: SubscriptionWish) => number | undefined;
  readonly leave: (id: number) => void;
  readonly onClose: () => void;
}

export class Subscription implements AsyncIterable<SubscriptionItem>, Disposable {
  readonly #wish: SubscriptionWish;
  readonly #link: SubscriptionLink;
  #id: number | undefined;
  #position: { readonly epoch: string; readonly offset: number } | undefined;
  #items: SubscriptionItem[] = [];
  #wake: (() => void) | undefined;
  #paused: boolean = false;
  #closed: boolean = false;
  #error: unknown;

  constructor(wish: SubscriptionWish, link: SubscriptionLink) {
    this.#wish = wish;
    this.#link = link;
  }

  /** Where it would go on: the first offset that was not delivered yet. Undefined before it began. */
  get position(): { readonly epoch: string; readonly offset: number } | undefined {
    return this.#position;
  }

  /** Asks for what follows; called when there is a new connection. */
  resume(): void {
    if (this.#closed || this.#paused) return;
    const from: From = this.#position ?? this.#wish.from;
    this.#id = this.#link.ask({ ...this.#wish, from });
  }

  /** The connection is gone. */
  interrupt(): void {
    this.#id = undefined;
  }

  begin({ epoch, offset, head, recovered }: Subscribed): void {
    const goesOn = recovered && this.#position?.epoch === epoch && this.#position.offset === offset;
    this.#position = { epoch, offset };
    if (!goesOn) this.#add({ kind: 'start', epoch, offset, head, recovered });
  }

  receive(event: ChannelEvent): void {
    if (this.#advance(event.offset, event.offset + 1)) this.#add({ kind: 'event', ...event });
  }

  receiveImage(frame: ImageFrame): void {
    if (this.#advance(frame.offset, frame.offset + 1)) this.#add({ kind: 'image', offset: frame.offset, frame });
  }

  receiveDropped({ from, to, reason }: Dropped): void {
    if (this.#advance(from, to)) this.#add({ kind: 'dropped', from, to, reason });
  }

  fail(error: unknown): void {
    this.#error = error;
    this.#close();
  }

  /** False for what has been delivered already. */
  #advance(from: number, to: number): boolean {
    if (this.#position === undefined || from < this.#position.offset) return false;
    this.#position = { epoch: this.#position.epoch, offset: to };
    return true;
  }

  #add(item: SubscriptionItem): void {
    if (this.#closed) return;
    this.#items.push(item);
    this.#wake?.();
    if (this.#items.length < mostWaiting || this.#id === undefined) return;
    this.#paused = true;
    this.#link.leave(this.#id);
    this.#id = undefined;
  }

  /** The items, once: iterating again goes on where the first iteration stopped. Ends when closed; throws when it failed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<SubscriptionItem, void, undefined> {
    try {
      for (;;) {
        const items = this.#items;
        this.#items = [];
        yield* items;
        if (this.#items.length > 0) continue;
        if (this.#error !== undefined) throw this.#error;
        if (this.#closed) return;
        if (this.#paused) {
          this.#paused = false;
          this.resume();
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    } finally {
      this.#close();
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#id !== undefined) this.#link.leave(this.#id);
    this.#wake?.();
    this.#link.onClose();
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}
