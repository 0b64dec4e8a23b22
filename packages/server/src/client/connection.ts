/**
 * A connection that comes back: opens a WebSocket, says hello, hands messages on, notices when the server is gone, and connects again
 * after a random part of a growing time, so that the clients of a restarted server do not all come at once.
 */
import { serverErrors } from '../errors.ts';
import { permanentCloseCodes } from '../protocol/close-codes.ts';
import { decodeFrame, type ImageFrame } from '../protocol/frame.ts';
import { type ClientHello, type ServerHello, SUBPROTOCOL } from '../protocol/hello.ts';
import type { ClientMessage, ServerMessage } from '../protocol/messages.ts';
import type { WebSocketConstructor, WebSocketLike } from './web-socket.ts';

export interface ConnectionOptions {
  readonly url: string;
  readonly webSocket: WebSocketConstructor;
  readonly hello: Omit<ClientHello, 'op'>;
  readonly backoff: { readonly firstMs: number; readonly longestMs: number };
  /** After so long without a word the server is asked whether it is there, and given up after as long again. */
  readonly livenessMs: number;
}

export interface ConnectionEvents {
  readonly onOpen: (hello: ServerHello) => void;
  readonly onMessage: (message: ServerMessage) => void;
  readonly onFrame: (frame: ImageFrame) => void;
  /** The connection is lost; another one is being made. */
  readonly onLost: () => void;
  /** The server does not want this client. There will be no other connection. */
  readonly onRefused: (error: Error) => void;
}

/** `OPEN` of the WHATWG's WebSocket. */
const openState = 1;

export class Connection implements Disposable {
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  #socket: WebSocketLike | undefined;
  #open: boolean = false;
  #failures = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #livenessTimer: ReturnType<typeof setInterval> | undefined;
  #heard: boolean = false;

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#options = options;
    this.#events = events;
    this.#connect();
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Nothing is sent on a socket that is closing: its end is about to be told, and what was asked will be asked again. */
  send(message: ClientMessage): void {
    if (this.#socket?.readyState === openState) this.#socket.send(JSON.stringify(message));
  }

  #connect(): void {
    const { url, webSocket: WebSocket, hello } = this.#options;
    const socket = new WebSocket(url, [SUBPROTOCOL]);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.send({ op: 'hello', ...hello });
    socket.onmessage = ({ data }: { readonly data: unknown }) => this.#receive(data);
    socket.onerror = () => undefined; // 'close' follows
    socket.onclose = ({ code, reason }: { readonly code: number; readonly reason: string }) => this.#lost(code, reason);
    this.#heard = true;
    this.#livenessTimer = setInterval(() => this.#checkLiveness(), this.#options.livenessMs);
  }

  #receive(data: unknown): void {
    this.#heard = true;
    if (typeof data !== 'string') {
      const frame = data instanceof ArrayBuffer ? decodeFrame(data) : undefined;
      if (frame) this.#events.onFrame(frame);
      return;
    }
    const message: ServerMessage = JSON.parse(data); // of a server that speaks the protocol
    if (message.op !== 'hello') {
      this.#events.onMessage(message);
      return;
    }
    this.#open = true;
    this.#failures = 0;
    this.#events.onOpen(message);
  }

  #checkLiveness(): void {
    if (!this.#heard) {
      const dead = this.#socket;
      this.#lost(1006, 'nothing was heard');
      dead?.close();
      return;
    }
    this.#heard = false;
    if (this.#open) this.send({ op: 'ping' });
  }

  #lost(code: number, reason: string): void {
    this.#detach();
    if (permanentCloseCodes.has(code)) {
      const message = `The server refused the connection: ${reason || code}.`;
      this.#events.onRefused(serverErrors.error('GVU_CLIENT_REFUSED', message, { details: { closeCode: code } }));
      return;
    }
    const { firstMs, longestMs } = this.#options.backoff;
    const delayMs = Math.random() * Math.min(longestMs, firstMs * 2 ** this.#failures++);
    this.#retryTimer = setTimeout(() => this.#connect(), delayMs);
    this.#events.onLost();
  }

  /** What the old socket may still do concerns nobody. */
  #detach(): void {
    clearInterval(this.#livenessTimer);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#open = false;
    if (!socket) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.onerror = () => undefined; // `ws` would throw an error that nobody hears
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#retryTimer);
    const socket = this.#socket;
    this.#detach();
    socket?.close(1000, 'done');
  }
}
