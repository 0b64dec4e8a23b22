/** A client that does as it is told, also what it should not: for tests of the server. */
import { WebSocket } from 'ws';
import type { RunServer } from '../src/index.ts';
import type { ServerMessage } from '../src/protocol/messages.ts';

export interface RawOptions {
  readonly protocols?: string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Of a server that speaks TLS: its certificate. */
  readonly ca?: Buffer;
}

export class RawClient implements Disposable {
  readonly socket: WebSocket;
  /** Code and reason with which the connection ended. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly binary: Buffer[] = [];
  readonly #messages: ServerMessage[] = [];
  #wake: () => void = () => undefined;
  #end: string | undefined;

  private constructor(url: string, { protocols = ['gvu.v1'], headers = {}, ca }: RawOptions) {
    this.socket = new WebSocket(url, protocols, { headers, ca });
    this.closed = new Promise((resolve) =>
      this.socket.on('close', (code, reason) => {
        this.#end = `${code} ${reason}`;
        this.#wake();
        resolve({ code, reason: reason.toString() });
      }),
    );
    this.socket.on('error', () => undefined); // tests look at what follows
    this.socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) this.binary.push(data);
      else this.#messages.push(JSON.parse(data.toString()));
      this.#wake();
    });
  }

  /** Resolves when the connection is open, or cannot be. */
  static async connect({ url }: Pick<RunServer, 'url'>, options: RawOptions = {}): Promise<RawClient> {
    const client = new RawClient(url.replace('http', 'ws'), options);
    await new Promise<void>((resolve) => {
      client.socket.on('open', resolve);
      client.socket.on('error', () => resolve());
    });
    return client;
  }

  /** Connects and says hello; the answer has been read. */
  static async greet(server: Pick<RunServer, 'url'>, token?: string): Promise<RawClient> {
    const client = await RawClient.connect(server);
    client.send({ op: 'hello', client: { name: 'raw', version: '1' }, ...(token === undefined ? {} : { token }) });
    await client.next('hello');
    return client;
  }

  send(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }

  /** The next message of one of these kinds; others before it are thrown away. Rejects when the connection ends. */
  async next<Op extends ServerMessage['op']>(
    ...ops: readonly Op[]
  ): Promise<Extract<ServerMessage, { readonly op: Op }>> {
    for (;;) {
      for (let message = this.#messages.shift(); message; message = this.#messages.shift()) {
        if (isOf(message, ops)) return message;
      }
      if (this.#end !== undefined) throw new Error(`The connection ended (${this.#end}) before a message "${ops}".`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }
}

function isOf<Op extends ServerMessage['op']>(
  message: ServerMessage,
  ops: readonly Op[],
): message is Extract<ServerMessage, { readonly op: Op }> {
  return ops.some((op) => op === message.op);
}
