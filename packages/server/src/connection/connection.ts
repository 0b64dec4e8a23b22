/** One client, from its first frame to its last: greeting, subscriptions, requests, and the reasons to send it away. */
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { serverErrors } from '../errors.ts';
import { failureOf } from '../failure.ts';
import { CloseCode } from '../protocol/close-codes.ts';
import type { ClientHello, Scope, ServerHello } from '../protocol/hello.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { parseClientMessage } from '../protocol/parse.ts';
import type { ServerContext } from '../server-context.ts';
import { Outbox } from './outbox.ts';
import { RateLimit } from './rate-limit.ts';
import { Requests } from './requests.ts';
import { Subscriptions } from './subscriptions.ts';

interface Admitted {
  readonly scopes: ReadonlySet<Scope>;
  readonly subscriptions: Subscriptions;
  readonly requests: Requests;
}

export class Connection {
  readonly #socket: WebSocket;
  readonly #context: ServerContext;
  readonly #address: string;
  readonly #token: string | undefined;
  readonly #rate: RateLimit;
  readonly #handshakeTimer: NodeJS.Timeout;
  readonly outbox: Outbox;
  #admitted: Admitted | undefined;
  #greeting = false;
  #heardAt = performance.now();
  #pingedAt: number | undefined;

  constructor(
    socket: WebSocket,
    context: ServerContext,
    from: { readonly stream: Duplex; readonly address: string; readonly token: string | undefined },
  ) {
    this.#socket = socket;
    this.#context = context;
    this.#address = from.address;
    this.#token = from.token;
    const { limits, statistics } = context;
    this.#rate = new RateLimit(limits.messagesPerSecond);
    this.outbox = new Outbox(socket, {
      stream: from.stream,
      limits,
      statistics,
      onRoom: () => this.#admitted?.subscriptions.wake(),
      onOverflow: () => this.#closeSlow(),
    });
    this.#handshakeTimer = setTimeout(
      () => this.close(CloseCode.handshakeTimeout, `no hello within ${limits.handshakeMs} ms`),
      limits.handshakeMs,
    );
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('pong', () => this.#heard());
    socket.on('ping', () => this.#withinRate() && this.#heard());
    socket.on('error', () => undefined); // ws closes with the right code, and 'close' follows
    socket.on('close', () => this.#end());
  }

  get subscriptions(): number {
    return this.#admitted?.subscriptions.size ?? 0;
  }

  close(code: number, reason: string): void {
    if (code !== CloseCode.goingAway) this.#context.log({ event: 'closed', address: this.#address, code, reason });
    clearTimeout(this.#handshakeTimer);
    // A frame has room for 123 bytes of reason.
    this.#socket.close(
      code,
      Buffer.from(reason)
        .subarray(0, 123)
        .toString()
        .replace(/\ufffd$/, ''),
    );
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** Called every now and then: sends away who does not read, and whoever is not there any more. */
  check(now: number): void {
    const { limits } = this.#context;
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.outbox.stalledMs(Date.now()) > limits.stallMs) this.#closeSlow();
    if (this.#pingedAt !== undefined) {
      if (now - this.#pingedAt > limits.idleMs) this.terminate();
    } else if (now - this.#heardAt > limits.idleMs) {
      this.#pingedAt = now;
      this.#socket.ping();
    }
  }

  #closeSlow(): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    const at = this.#admitted?.subscriptions.losslessOffsets() ?? [];
    const list = at.map(({ id, offset }) => `${id}:${offset}`).join(' ');
    this.close(CloseCode.tooSlow, `too slow; sent up to ${list || 'everything'}`);
  }

  #heard(): void {
    this.#heardAt = performance.now();
    this.#pingedAt = undefined;
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return; // what came after we closed
    this.#heard();
    if (!this.#withinRate()) return;
    if (isBinary) {
      this.close(CloseCode.unsupportedData, 'binary frames are not understood');
      return;
    }
    let value: unknown;
    try {
      value = JSON.parse(String(data));
    } catch {
      this.close(CloseCode.badMessage, 'not JSON');
      return;
    }
    this.#dispatch(value).catch((error) => {
      this.#context.log({ event: 'failed', error });
      this.terminate();
    });
  }

  #withinRate(): boolean {
    const within = this.#rate.take();
    if (!within) this.close(CloseCode.rateExceeded, 'too many messages');
    return within;
  }

  async #dispatch(value: unknown): Promise<void> {
    let message: ClientMessage;
    try {
      message = parseClientMessage(value);
    } catch (error) {
      if (this.#admitted === undefined) return this.close(CloseCode.badMessage, 'the first message must be a hello');
      this.outbox.message({ op: 'error', id: idOf(value), error: failureOf(error) });
      return;
    }
    if (this.#admitted === undefined) {
      if (message.op !== 'hello' || this.#greeting) {
        return this.close(CloseCode.badMessage, 'the first message must be a hello, and its answer awaited');
      }
      this.#greeting = true;
      return await this.#greet(message);
    }
    const { subscriptions, requests } = this.#admitted;
    switch (message.op) {
      case 'hello': {
        const again = serverErrors.error('GVU_SERVER_MESSAGE', 'The hello was said before.');
        return this.outbox.message({ op: 'error', id: null, error: failureOf(again) });
      }
      case 'subscribe':
        return await subscriptions.add(message);
      case 'unsubscribe':
        return subscriptions.remove(message.id);
      case 'request':
        return await requests.answer(message);
      case 'cancel':
        return requests.cancel(message.id);
      case 'ping':
        return this.outbox.message({ op: 'pong', clock: new Date().toISOString() });
    }
  }

  async #greet(hello: ClientHello): Promise<void> {
    const context = this.#context;
    const scopes = context.tokens.scopesOf(hello.token ?? this.#token);
    if (scopes === undefined) {
      const given = (hello.token ?? this.#token) === undefined ? 'a token is needed' : 'the token is not known';
      return this.close(CloseCode.unauthorized, given);
    }
    const missing = hello.requires?.find((capability) => !context.capabilities.includes(capability));
    if (missing !== undefined) return this.close(CloseCode.notSupported, `no capability ${missing.slice(0, 64)}`);
    const answer: ServerHello = await context.hello([...scopes]);
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    clearTimeout(this.#handshakeTimer);
    const { limits, handlers, log } = context;
    this.#admitted = {
      scopes,
      subscriptions: new Subscriptions(this.outbox, context, scopes),
      requests: new Requests({
        outbox: this.outbox,
        handlers,
        scopes,
        limit: limits.requests,
        onInternalError: (error) => log({ event: 'failed', error }),
      }),
    };
    this.outbox.message(answer);
  }

  #end(): void {
    clearTimeout(this.#handshakeTimer);
    this.#admitted?.subscriptions[Symbol.dispose]();
    this.#admitted?.requests[Symbol.dispose]();
    this.#context.leave(this);
  }
}

/** The id of a message that could not be understood, so that its sender knows which it was. */
function idOf(value: unknown): number | null {
  const id = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined;
  return typeof id === 'number' && Number.isSafeInteger(id) ? id : null;
}
