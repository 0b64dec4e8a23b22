/** The client: one connection, kept up; any number of subscriptions and requests on it. For Node and browsers. */
import { type ErrorCode, GvuError } from '@gvu/core/errors';
import { serverErrors } from '../errors.ts';
import type { ImageFrame } from '../protocol/frame.ts';
import type { ServerHello } from '../protocol/hello.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { GivenParams, MethodName, Result } from '../protocol/methods.ts';
import type { Failure } from '../protocol/schema.ts';
import { Connection } from './connection.ts';
import { Subscription, type SubscriptionWish } from './subscription.ts';
import { globalWebSocket, type WebSocketConstructor } from './web-socket.ts';

export interface ClientOptions {
  /** Such as `ws://127.0.0.1:8642`. */
  readonly url: string;
  readonly token?: string;
  /** Default: that of the browser. In Node, give the one of `ws`. */
  readonly WebSocket?: WebSocketConstructor;
  readonly name?: string;
  /** Capabilities without which the server is of no use. */
  readonly requires?: readonly string[];
  /** Times between attempts to connect: a random part of `firstMs`, doubled each time up to `longestMs`. */
  readonly backoff?: { readonly firstMs: number; readonly longestMs: number };
  readonly livenessMs?: number;
  /** Is told of each greeting, and of each loss (undefined). */
  readonly onConnection?: (hello: ServerHello | undefined) => void;
}

export interface RequestOptions {
  /** Cancels the request. */
  readonly signal?: AbortSignal;
  /** Default two minutes. */
  readonly deadlineMs?: number;
  readonly onProgress?: (phase: string) => void;
  /** Pictures that belong to the result, before it. */
  readonly onImage?: (frame: ImageFrame) => void;
}

interface Pending {
  readonly options: RequestOptions;
  readonly send: () => void;
  readonly settle: (outcome: { readonly result: unknown } | { readonly error: unknown }) => void;
  sent: boolean;
}

/** After this a run that has gone is looked for again. */
const lookAgainMs = 1000;

export class Client implements Disposable {
  readonly #connection: Connection;
  readonly #all = new Set<Subscription>();
  /** By the ids of the present connection. */
  readonly #subscriptions = new Map<number, Subscription>();
  readonly #requests = new Map<number, Pending>();
  readonly #onConnection: ClientOptions['onConnection'];
  #lastId = 0;
  #hello: ServerHello | undefined;
  #failure: unknown;

  /** @throws GVU_CLIENT_REFUSED when there is no WebSocket */
  constructor(options: ClientOptions) {
    const { url, token, name = 'gvu-client', requires } = options;
    const webSocket = options.WebSocket ?? globalWebSocket();
    if (!webSocket) {
      throw serverErrors.error('GVU_CLIENT_REFUSED', 'There is no WebSocket here.', {
        hint: 'Give the one of the package ws as the option WebSocket.',
      });
    }
    this.#onConnection = options.onConnection;
    const { backoff = { firstMs: 250, longestMs: 15_000 }, livenessMs = 15_000 } = options;
    const hello = {
      client: { name, version: '1' },
      ...(token === undefined ? {} : { token }),
      ...(requires === undefined ? {} : { requires: [...requires] }),
    };
    this.#connection = new Connection(
      { url, webSocket, hello, backoff, livenessMs },
      {
        onOpen: (answer) => this.#open(answer),
        onMessage: (message) => this.#receive(message),
        onFrame: (frame) => this.#receiveFrame(frame),
        onLost: () => this.#lost(),
        onRefused: (error) => this.#fail(error),
      },
    );
  }

  /** The last greeting of the server; undefined while there is no connection. */
  get hello(): ServerHello | undefined {
    return this.#hello;
  }

  /** Subscribes to a channel; iterate over what is returned, and leave the loop or dispose of it to end it. */
  subscribe(wish: SubscriptionWish): Subscription {
    const subscription: Subscription = new Subscription(wish, {
      ask: (asked) => {
        if (!this.#connection.isOpen) return undefined;
        const id = ++this.#lastId;
        this.#subscriptions.set(id, subscription);
        this.#connection.send({ op: 'subscribe', id, ...asked });
        return id;
      },
      leave: (id) => {
        this.#subscriptions.delete(id);
        if (this.#connection.isOpen) this.#connection.send({ op: 'unsubscribe', id });
      },
      onClose: () => this.#all.delete(subscription),
    });
    this.#all.add(subscription);
    if (this.#failure === undefined) subscription.resume();
    else subscription.fail(this.#failure);
    return subscription;
  }

  /**
   * Calls a method of the server and gives its result. Without a connection it waits for one; when the connection is lost on the way it
   * fails with GVU_CLIENT_CLOSED. Otherwise it fails with the code of the server.
   */
  request<M extends MethodName>(
    method: M,
    params: NoInfer<GivenParams<M>>,
    options?: RequestOptions,
  ): Promise<Result<M>>;
  async request(method: MethodName, params: unknown, options: RequestOptions = {}): Promise<unknown> {
    const { signal, deadlineMs } = options;
    signal?.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    const id = ++this.#lastId;
    const cancel = (): void => {
      const pending = this.#requests.get(id);
      if (pending?.sent) this.#connection.send({ op: 'cancel', id });
      else pending?.settle({ error: signal?.reason });
    };
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await new Promise<unknown>((resolve, reject) => {
        const pending: Pending = {
          options,
          sent: false,
          send: () => {
            pending.sent = true;
            const given = { params: Object(params), ...(deadlineMs === undefined ? {} : { deadlineMs }) };
            this.#connection.send({ op: 'request', id, method, ...given });
          },
          settle: (outcome) => {
            this.#requests.delete(id);
            if ('error' in outcome) reject(outcome.error);
            else resolve(outcome.result);
          },
        };
        this.#requests.set(id, pending);
        if (this.#connection.isOpen) pending.send();
      });
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  #open(hello: ServerHello): void {
    this.#hello = hello;
    this.#onConnection?.(hello);
    for (const subscription of this.#all) subscription.resume();
    for (const pending of this.#requests.values()) pending.send();
  }

  #lost(): void {
    this.#hello = undefined;
    this.#subscriptions.clear();
    for (const subscription of this.#all) subscription.interrupt();
    const error = serverErrors.error('GVU_CLIENT_CLOSED', 'The connection was lost during the request.');
    for (const pending of [...this.#requests.values()]) if (pending.sent) pending.settle({ error });
    this.#onConnection?.(undefined);
  }

  #fail(error: unknown): void {
    this.#failure = error;
    this.#hello = undefined;
    for (const subscription of [...this.#all]) subscription.fail(error);
    for (const pending of [...this.#requests.values()]) pending.settle({ error });
    this.#onConnection?.(undefined);
  }

  #receive(message: ServerMessage): void {
    switch (message.op) {
      case 'subscribed':
        this.#subscriptions.get(message.id)?.begin(message);
        break;
      case 'events':
        for (const event of message.events) this.#subscriptions.get(message.id)?.receive(event);
        break;
      case 'dropped':
        this.#subscriptions.get(message.id)?.receiveDropped(message);
        break;
      case 'unsubscribed':
        this.#unsubscribed(message.id, message.error);
        break;
      case 'progress':
        this.#requests.get(message.id)?.options.onProgress?.(message.phase);
        break;
      case 'result':
        this.#requests.get(message.id)?.settle({ result: message.result });
        break;
      case 'error':
        this.#requests.get(message.id ?? 0)?.settle({ error: errorOf(message.error) });
        break;
      default:
        break; // a pong, or something newer
    }
  }

  #unsubscribed(id: number, error: Failure | undefined): void {
    const subscription = this.#subscriptions.get(id);
    this.#subscriptions.delete(id);
    if (!subscription || !error) return;
    subscription.interrupt();
    if (error.code === 'GVU_SERVER_EPOCH') subscription.resume();
    else if (error.code === 'GVU_SERVER_RUN_UNKNOWN' && subscription.position) {
      // It was there: perhaps its folder is just being made anew.
      setTimeout(() => this.#connection.isOpen && this.#all.has(subscription) && subscription.resume(), lookAgainMs);
    } else subscription.fail(errorOf(error));
  }

  #receiveFrame(frame: ImageFrame): void {
    if (frame.kind === 'event') this.#subscriptions.get(frame.id)?.receiveImage(frame);
    else this.#requests.get(frame.id)?.options.onImage?.(frame);
  }

  /** Ends all subscriptions; requests under way fail with GVU_CLIENT_CLOSED. */
  [Symbol.dispose](): void {
    this.#failure = serverErrors.error('GVU_CLIENT_CLOSED', 'The client was closed.');
    for (const subscription of [...this.#all]) subscription[Symbol.dispose]();
    for (const pending of [...this.#requests.values()]) pending.settle({ error: this.#failure });
    this.#connection[Symbol.dispose]();
  }
}

/** What the server said, as an error with its code. */
function errorOf({ code, message, retryAfterMs }: Failure): GvuError {
  const options = retryAfterMs === undefined ? {} : { details: { retryAfterMs } };
  return new GvuError(code as ErrorCode, message, options); // its schema says how codes look
}
