/** A server of `gvu.v1` that plays a script, for clients to be tested with: it can do what a real one does rarely, or must never do. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type ChannelEvent,
  type ClientMessage,
  channels,
  clientMessages,
  encodeFrame,
  type ImageFrame,
  type ServerHello,
  type ServerMessage,
  SUBPROTOCOL,
} from '@gvu/server/protocol';
import { type WebSocket, WebSocketServer } from 'ws';
import { assertSchema, within } from './wire.ts';

type Op = ClientMessage['op'];
type MessageOf<O extends Op> = Extract<ClientMessage, { readonly op: O }>;

/** One connection of the client. */
export class Peer {
  readonly socket: WebSocket;
  readonly url: string;
  readonly protocols: readonly string[];
  readonly closed: Promise<void>;
  readonly #patienceMs: number;
  readonly #received: ClientMessage[] = [];
  #problem: unknown;
  #over: boolean = false;
  #wake: () => void = () => undefined;

  constructor(socket: WebSocket, request: { url: string; protocols: readonly string[]; patienceMs: number }) {
    this.socket = socket;
    this.url = request.url;
    this.protocols = request.protocols;
    this.#patienceMs = request.patienceMs;
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#over = true;
        this.#wake();
        resolve();
      });
    });
    socket.on('message', (data: Buffer, isBinary) => {
      try {
        assert.ok(!isBinary, 'the client sends a binary frame');
        const message: ClientMessage = JSON.parse(data.toString());
        assert.ok(Object.hasOwn(clientMessages, message.op), `the client sends ${data.toString().slice(0, 200)}`);
        assertSchema(message, clientMessages[message.op], `The message "${message.op}"`);
        // A client may ask at any time whether the server is there.
        if (message.op === 'ping') this.send({ op: 'pong', clock: new Date().toISOString() });
        else this.#received.push(message);
      } catch (error) {
        this.#problem ??= error;
      }
      this.#wake();
    });
  }

  /** Messages that have come and were not looked at. */
  get waiting(): readonly ClientMessage[] {
    return this.#received;
  }

  send(message: ServerMessage | { readonly op: string }): void {
    this.socket.send(JSON.stringify(message));
  }

  frame(frame: Partial<ImageFrame> & Pick<ImageFrame, 'id'>): void {
    this.socket.send(frameOf(frame));
  }

  /** The next message, which must be of this kind. */
  async next<O extends Op>(op: O): Promise<MessageOf<O>> {
    const message = await within(this.#next(), this.#patienceMs, `a message "${op}" of the client`);
    assert.equal(message.op, op, `the client says ${JSON.stringify(message)}`);
    return message as MessageOf<O>; // its op says so
  }

  async #next(): Promise<ClientMessage> {
    for (;;) {
      if (this.#problem !== undefined) throw this.#problem;
      const message = this.#received.shift();
      if (message) return message;
      assert.ok(!this.#over, 'the client left');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Greets the client, and gives its first subscription. */
  async begin(): Promise<MessageOf<'subscribe'>> {
    await this.greet();
    return await this.next('subscribe');
  }

  async greet(): Promise<MessageOf<'hello'>> {
    const said = await this.next('hello');
    this.send(greeting());
    return said;
  }

  /** Answers a subscription: it begins at `offset`. */
  subscribed(wish: MessageOf<'subscribe'>, at: { offset: number; recovered?: boolean; epoch?: string }): void {
    const { id, channel, run = null } = wish;
    const { offset, recovered = true, epoch = theEpoch } = at;
    this.send({ op: 'subscribed', id, run, channel, epoch, offset, head: 1000, recovered });
  }

  /** Events with these offsets, each in a message of its own. */
  events(id: number, ...offsets: readonly number[]): void {
    for (const offset of offsets) this.send({ op: 'events', id, events: [event(offset)] });
  }
}

export const theEpoch = 'epoch-of-the-script';

export const event = (offset: number): ChannelEvent => ({
  ...{ offset, seq: offset + 1, time: '2026-11-23T16:04:25.123Z', type: 'step', data: { step: offset } },
});

export function frameOf(frame: Partial<ImageFrame> & Pick<ImageFrame, 'id'>): Uint8Array {
  const empty = {
    kind: 'event',
    thumbnail: false,
    media: 'image/png',
    index: 0,
    offset: 0,
    timeMs: 0,
    seq: 0,
  } as const;
  return encodeFrame({ ...empty, sha256: 'ab'.repeat(32), bytes: new Uint8Array([1, 2, 3]), ...frame });
}

const greeting = (): ServerHello => ({
  op: 'hello',
  protocol: SUBPROTOCOL,
  server: { name: 'conformance', version: '1', epoch: 'server' },
  run: 'first',
  epoch: theEpoch,
  runs: [{ run: 'first', epoch: theEpoch, state: 'open', bytes: 1, updated: '2026-11-23T16:04:25.123Z' }],
  channels: channels.map((channel) => ({ ...channel, schema: { ...channel.schema } })),
  capabilities: ['runs', 'generate', 'thumbnails'],
  scopes: ['read', 'infer'],
  limits: { frameBytes: 1 << 20, subscriptions: 64, requests: 16, messagesPerSecond: 50 },
  clock: new Date().toISOString(),
});

export class ScriptedServer implements AsyncDisposable {
  readonly #server: WebSocketServer;
  readonly #patienceMs: number;
  readonly #peers: Peer[] = [];
  #taken = 0;
  #wake: () => void = () => undefined;

  private constructor(server: WebSocketServer, patienceMs: number) {
    this.#server = server;
    this.#patienceMs = patienceMs;
    server.on('connection', (socket, request) => {
      const protocols = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((entry) => entry.trim());
      this.#peers.push(new Peer(socket, { url: request.url ?? '', protocols, patienceMs }));
      this.#wake();
    });
  }

  static async listen(patienceMs: number): Promise<ScriptedServer> {
    const handleProtocols = (offered: ReadonlySet<string>) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false);
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols });
    await once(server, 'listening');
    return new ScriptedServer(server, patienceMs);
  }

  get url(): string {
    const address = this.#server.address();
    assert.ok(typeof address === 'object' && address);
    return `ws://127.0.0.1:${address.port}`;
  }

  /** How often the client has connected. */
  get connections(): number {
    return this.#peers.length;
  }

  /** The next connection of the client. */
  async peer(): Promise<Peer> {
    const wait = async (): Promise<Peer> => {
      for (;;) {
        const peer = this.#peers[this.#taken];
        if (peer) {
          this.#taken++;
          return peer;
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    };
    return await within(wait(), this.#patienceMs, 'a connection of the client');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.#peers) socket.terminate();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
