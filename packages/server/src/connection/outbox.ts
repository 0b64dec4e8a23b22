/**
 * The way out to one client: how much waits there, and whether the client takes any of it.
 *
 * Events are only sent while there is room, so what waits is bounded by bytes and by frames; answers, which a client has asked for, are
 * always sent, and a client that keeps asking without reading is cut off.
 */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { ServerLimits } from '../limits.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { Statistics } from '../statistics.ts';
import { wireFrame } from './wire-frame.ts';

export interface OutboxOptions {
  /** What the WebSocket writes to. */
  readonly stream: Duplex;
  readonly limits: ServerLimits;
  readonly statistics: Statistics;
  /** There is room again after there was none. */
  readonly onRoom: () => void;
  /** Far more waits than should. */
  readonly onOverflow: () => void;
}

export class Outbox {
  readonly #socket: WebSocket;
  readonly #options: OutboxOptions;
  #frames = 0;
  #full: boolean = false;
  #progressAt = 0;
  #corked: boolean = false;

  constructor(socket: WebSocket, options: OutboxOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Ask before sending events. When there is none, `onRoom` will be called, unless the client is being sent away. */
  get hasRoom(): boolean {
    if (this.#socket.readyState !== this.#socket.OPEN) return false;
    const { bufferBytes, bufferFrames } = this.#options.limits;
    const room = this.#socket.bufferedAmount < bufferBytes && this.#frames < bufferFrames;
    if (!room) this.#full = true;
    return room;
  }

  /** Milliseconds since the client last took something, while something waits. */
  stalledMs(now: number): number {
    return this.#frames === 0 ? 0 : now - this.#progressAt;
  }

  message(message: ServerMessage): void {
    this.sendText(Buffer.from(JSON.stringify(message)));
  }

  sendText(bytes: Uint8Array): void {
    this.send(wireFrame(bytes, 'text'));
  }

  sendBinary(bytes: Uint8Array): void {
    this.send(wireFrame(bytes, 'binary'));
  }

  /**
   * A frame of `wireFrame`, which may be on its way to other clients too. Beside the WebSocket, which would make a new one for each: it
   * writes whole frames at once too, as nothing is compressed.
   */
  send(frame: Uint8Array): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#frames++ === 0) this.#progressAt = Date.now();
    const { statistics, stream, limits, onOverflow } = this.#options;
    statistics.bytes += frame.length;
    this.#gather();
    stream.write(frame, this.#sent);
    if (this.#socket.bufferedAmount > 16 * limits.bufferBytes) onOverflow();
  }

  /** Frames of several channels at one moment are one call of the operating system. */
  #gather(): void {
    if (this.#corked) return;
    this.#corked = true;
    const { stream } = this.#options;
    stream.cork();
    process.nextTick(() => {
      this.#corked = false;
      stream.uncork();
    });
  }

  readonly #sent = (): void => {
    this.#frames--;
    this.#progressAt = Date.now();
    if (!this.#full) return;
    const { bufferBytes, bufferFrames } = this.#options.limits;
    if (2 * this.#socket.bufferedAmount > bufferBytes || 2 * this.#frames > bufferFrames) return;
    this.#full = false;
    this.#options.onRoom();
  };
}
