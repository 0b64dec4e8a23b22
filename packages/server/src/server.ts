/**
 * The server: streams runs, serves the model, steers training, over one port. It only reads the folder of runs, so it may be killed
 * and started again while a run goes on, and serves runs that ended long ago as well.
 */
import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import type { JsonValue } from '@gvu/core';
import { type WebSocket, WebSocketServer } from 'ws';
import { Origins } from './access/origins.ts';
import { Tokens } from './access/tokens.ts';
import { Connection } from './connection/connection.ts';
import { serverErrors } from './errors.ts';
import { createHandlers } from './handlers.ts';
import { answerHttp } from './http/answer.ts';
import { resolveOptions, type ServerOptions } from './options.ts';
import { channels } from './protocol/channels.ts';
import { CloseCode } from './protocol/close-codes.ts';
import { type Scope, type ServerHello, SUBPROTOCOL, TOKEN_SUBPROTOCOL } from './protocol/hello.ts';
import { RunDirectory } from './runs/run-directory.ts';
import { RunFeeds } from './runs/run-feeds.ts';
import { ServerFeed } from './runs/server-feed.ts';
import type { ServerContext } from './server-context.ts';
import { Statistics } from './statistics.ts';
import { version } from './version.ts';

const checkEveryMs = 1000;

export interface RunServer extends AsyncDisposable {
  /** Such as `http://127.0.0.1:8642`. */
  readonly url: string;
  readonly port: number;
}

/**
 * Starts a server. Disposing of it says goodbye to its clients.
 * @throws GVU_SERVER_OPTIONS, GVU_SERVER_LISTEN
 */
export async function createServer(given: ServerOptions): Promise<RunServer> {
  const options = resolveOptions(given);
  const { host, limits, tls, log = () => undefined } = options;
  const { control } = options;
  const runs = new RunDirectory(options.runs, control && (() => control.steered()));
  const tokens = new Tokens(options.tokens, options.anonymous);
  const origins = new Origins(options.origins, options.loopback);
  const serverFeed = new ServerFeed();
  const feeds = new RunFeeds(runs);
  const statistics = new Statistics();
  const handlers = createHandlers({ ...options, runs });
  const capabilities = [...Object.keys(handlers), 'thumbnails'];
  const connections = new Set<Connection>();

  const hello = async (scopes: readonly Scope[]): Promise<ServerHello> => {
    const list = scopes.includes('read') ? await runs.list() : [];
    return {
      op: 'hello',
      protocol: SUBPROTOCOL,
      server: { name: 'gvu', version, epoch: serverFeed.epoch },
      run: list[0]?.run ?? null,
      epoch: list[0]?.epoch ?? null,
      runs: list,
      channels: channels.map((channel) => ({ ...channel, schema: { ...channel.schema } })),
      capabilities,
      scopes,
      limits: {
        frameBytes: limits.frameBytes,
        subscriptions: limits.subscriptions,
        requests: limits.requests,
        messagesPerSecond: limits.messagesPerSecond,
      },
      clock: new Date().toISOString(),
    };
  };
  const leave = (connection: Connection): void => void connections.delete(connection);
  const context: ServerContext = {
    ...{ limits, statistics, tokens, capabilities, handlers, feeds, serverFeed, hello, log, leave },
  };

  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: limits.frameBytes,
    perMessageDeflate: false,
    // With none in common the first offer is accepted, or none, only to close with a code that the client can read.
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : ([...offered][0] ?? false)),
  });
  const http: Server = tls ? secureServer(tls) : createHttpServer();
  http.on('request', (request, response) => {
    const address = request.socket.remoteAddress ?? 'unknown';
    const onRefused = (reason: string) => log({ event: 'refused', address, reason });
    answerHttp(request, response, { runs, tokens, origins, pages: options.pages, onRefused }).catch((error) => {
      log({ event: 'failed', error });
      response.destroy();
    });
  });
  http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const address = request.socket.remoteAddress ?? 'unknown';
    const refusal = refusalOf(request);
    if (refusal) {
      log({ event: 'refused', address, reason: refusal.reason });
      socket.on('error', () => undefined); // it may be gone before it reads this
      socket.end(`HTTP/1.1 ${refusal.status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => accept(webSocket, request, address));
  });

  function refusalOf(request: IncomingMessage): { readonly status: string; readonly reason: string } | undefined {
    const foreign = origins.refusal(request);
    if (foreign !== undefined) return { status: '403 Forbidden', reason: foreign };
    if (connections.size < limits.connections) return undefined;
    return { status: '503 Service Unavailable', reason: `${connections.size} connections` };
  }

  function accept(socket: WebSocket, request: IncomingMessage, address: string): void {
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((entry) => entry.trim());
    const token = tokenIn(offered);
    const connection = new Connection(socket, context, { stream: request.socket, address, token });
    connections.add(connection);
    if (socket.protocol !== SUBPROTOCOL)
      connection.close(CloseCode.notSupported, `this server speaks ${SUBPROTOCOL} only`);
  }

  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen({ host, port: options.port }, resolve);
  }).catch((cause) => {
    throw serverErrors.error('GVU_SERVER_LISTEN', `The server cannot listen at ${host}, port ${options.port}.`, {
      cause,
    });
  });
  const address = http.address();
  const port = typeof address === 'object' && address ? address.port : options.port;

  let known = '';
  let checking = false;
  const check = async (): Promise<void> => {
    const now = performance.now();
    for (const connection of connections) connection.check(now);
    if (!serverFeed.hasSubscribers || checking) return;
    checking = true;
    try {
      const list = await runs.list();
      const state = list
        .map(({ run, epoch, state, steered }) => `${run} ${epoch} ${state} ${steered}`)
        .sort()
        .join();
      if (state !== known) serverFeed.add('server.runs', { runs: list.map((run): JsonValue => ({ ...run })) });
      known = state;
    } finally {
      checking = false;
    }
    const all = [...connections];
    const sum = (of: (connection: Connection) => number) => all.reduce((total, one) => total + of(one), 0);
    const subscriptions = sum((one) => one.subscriptions);
    const bufferedBytes = sum((one) => one.outbox.bufferedBytes);
    serverFeed.add('server.stats', {
      ...statistics.snapshot({ connections: all.length, subscriptions, bufferedBytes }),
    });
  };
  const timer = setInterval(() => void check().catch((error) => log({ event: 'failed', error })), checkEveryMs);

  return {
    url: `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      for (const connection of connections) connection.close(CloseCode.goingAway, 'the server is stopping');
      const closed = new Promise<void>((resolve) => http.close(() => resolve()));
      await goodbye(connections);
      http.closeAllConnections();
      await closed;
      await feeds[Symbol.asyncDispose]();
    },
  };
}

function secureServer({ cert, key }: NonNullable<ServerOptions['tls']>): Server {
  try {
    return createHttpsServer({ cert, key });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw serverErrors.error('GVU_SERVER_OPTIONS', `The certificate and its key cannot be used: ${why}.`, {
      hint: 'Give both in PEM, the key without a password.',
      cause,
    });
  }
}

/** Gives clients a moment to say goodbye too. */
async function goodbye(connections: ReadonlySet<Connection>): Promise<void> {
  const until = performance.now() + 500;
  while (connections.size > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const connection of connections) connection.terminate();
}

/** A token among the subprotocols that a client offers. */
function tokenIn(offered: readonly string[]): string | undefined {
  const entry = offered.find((protocol) => protocol.startsWith(TOKEN_SUBPROTOCOL));
  return entry === undefined ? undefined : Buffer.from(entry.slice(TOKEN_SUBPROTOCOL.length), 'base64url').toString();
}
