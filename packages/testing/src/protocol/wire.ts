/** One end of a WebSocket that sends what it is told, also what it should not, and holds what it receives to the schemas of `gvu.v1`. */
import assert from 'node:assert/strict';
import { compileConfig } from '@gvu/core';
import { decodeFrame, type ImageFrame, type ServerMessage, SUBPROTOCOL, serverMessages } from '@gvu/server/protocol';
import { WebSocket } from 'ws';

type Op = ServerMessage['op'];
type MessageOf<O extends Op> = Extract<ServerMessage, { readonly op: O }>;

export interface WireOptions {
  readonly protocols?: readonly string[];
  /** How long anything may be waited for. */
  readonly patienceMs: number;
}

/** Waits for a promise, but not for ever. */
export async function within<T>(promise: Promise<T>, patienceMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new assert.AssertionError({ message: `${what}: not within ${patienceMs} ms` });
    timer = setTimeout(() => reject(error), patienceMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const compiled = new Map<object, (value: unknown) => void>();

/** Throws an AssertionError with every problem. */
export function assertSchema(value: unknown, schema: object, what: string): void {
  let check = compiled.get(schema);
  if (check === undefined) {
    const config = compileConfig(schema, { source: what });
    check = (given) => void config.parse(given, { source: what });
    compiled.set(schema, check);
  }
  try {
    check(value);
  } catch (error) {
    assert.fail(`${what} does not fit its schema: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export class Wire implements Disposable {
  readonly socket: WebSocket;
  /** Code and reason with which the connection ended. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #patienceMs: number;
  readonly #received: (ServerMessage | ImageFrame)[] = [];
  #problem: unknown;
  #over: boolean = false;
  #wake: () => void = () => undefined;

  private constructor(url: string, { protocols = [SUBPROTOCOL], patienceMs }: WireOptions) {
    this.#patienceMs = patienceMs;
    this.socket = new WebSocket(url, [...protocols]);
    this.socket.on('error', () => undefined); // what follows from it is looked at
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        this.#over = true;
        this.#wake();
        resolve({ code, reason: reason.toString() });
      });
    });
    this.socket.on('message', (data: Buffer, isBinary) => {
      try {
        this.#receive(data, isBinary);
      } catch (error) {
        this.#problem ??= error;
      }
      this.#wake();
    });
  }

  /** Connected, or refused; nothing has been said. */
  static async open(url: string, options: WireOptions): Promise<Wire> {
    const wire = new Wire(url, options);
    const settled = new Promise<void>((resolve) => {
      wire.socket.on('open', resolve);
      wire.socket.on('error', () => resolve());
    });
    await within(settled, options.patienceMs, `connecting to ${url}`);
    return wire;
  }

  /** Connected and greeted. */
  static async greet(url: string, options: WireOptions, token?: string): Promise<Wire> {
    const wire = await Wire.open(url, options);
    wire.send({ op: 'hello', client: hello.client, ...(token === undefined ? {} : { token }) });
    await wire.next('hello');
    return wire;
  }

  send(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }

  /** The next message of one of these kinds; others before it are passed over. */
  async next<O extends Op>(...ops: readonly O[]): Promise<MessageOf<O>> {
    const is = (item: ServerMessage | ImageFrame): item is MessageOf<O> =>
      'op' in item && ops.some((op) => op === item.op);
    return await this.#find(is, `a message "${ops.join('" or "')}"`);
  }

  /** The next events and words of dropped ones of a subscription, one message, or the frame of an event. */
  async delivery(id: number): Promise<MessageOf<'events'> | MessageOf<'dropped'> | ImageFrame> {
    type Delivery = MessageOf<'events'> | MessageOf<'dropped'> | ImageFrame;
    const is = (item: ServerMessage | ImageFrame): item is Delivery =>
      'op' in item ? (item.op === 'events' || item.op === 'dropped') && item.id === id : item.id === id;
    return await this.#find(is, `something of the subscription ${id}`);
  }

  /** The code with which the server ends the connection. */
  async closeCode(): Promise<number> {
    return (await within(this.closed, this.#patienceMs, 'the end of the connection')).code;
  }

  /** The server is there and answers. */
  async assertAlive(): Promise<void> {
    this.send({ op: 'ping' });
    await this.next('pong');
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (isBinary) {
      const frame = decodeFrame(data);
      assert.ok(frame, `a binary frame of ${data.length} bytes cannot be read`);
      this.#received.push(frame);
      return;
    }
    const message: ServerMessage = JSON.parse(data.toString());
    const schema = Object.hasOwn(serverMessages, message.op) ? serverMessages[message.op] : undefined;
    if (schema) assertSchema(message, schema, `The message "${message.op}"`); // others are of a later version
    this.#received.push(message);
  }

  async #find<T extends ServerMessage | ImageFrame>(
    is: (item: ServerMessage | ImageFrame) => item is T,
    what: string,
  ): Promise<T> {
    const search = async (): Promise<T> => {
      for (;;) {
        for (let item = this.#received.shift(); item; item = this.#received.shift()) if (is(item)) return item;
        if (this.#problem !== undefined) throw this.#problem;
        assert.ok(!this.#over, `the connection ended before ${what}`);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    };
    return await within(search(), this.#patienceMs, what);
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }
}

/** A greeting that says nothing special. */
export const hello = { op: 'hello', client: { name: 'gvu-conformance', version: '1' } } as const;
