/** The kits of the protocol find out what is broken: servers behind a proxy that spoils one thing, clients that do one thing wrong. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ClientMessage, ServerMessage } from '@gvu/server/protocol';
import { expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type ConformanceCheck, runChecks } from '../src/check.ts';
import { type ClientConformanceOptions, clientConformance, type FollowItem } from '../src/protocol/client.ts';
import { type ServerConformanceOptions, serverConformance } from '../src/protocol/server.ts';
import { connectWith, startServer } from './protocol-subjects.ts';

const patient = { timeout: 120_000 };
const patienceMs = 30_000;

/** The failure of the one check whose name begins so. */
async function failureOf(checks: readonly ConformanceCheck[], name: string): Promise<unknown> {
  const found = checks.filter((check) => check.name.startsWith(name));
  expect(found.length, name).toBe(1);
  return (await runChecks(found)).failed[0]?.error;
}

interface Spoiling {
  readonly toClient?: (message: ServerMessage) => object;
  readonly toServer?: (message: ClientMessage) => object;
  readonly frame?: (frame: Buffer) => void;
}

/** The real server behind a proxy. */
const spoilt =
  ({
    toClient = (message) => message,
    toServer = (message) => message,
    frame,
  }: Spoiling): ServerConformanceOptions['start'] =>
  async (given) => {
    const server = await startServer(given);
    const proxy = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    proxy.on('connection', (client) => {
      const upstream = new WebSocket(server.url, 'gvu.v1');
      const open = once(upstream, 'open');
      client.on('message', async (data: Buffer) => {
        await open;
        upstream.send(JSON.stringify(toServer(JSON.parse(data.toString()))));
      });
      upstream.on('message', (data: Buffer, isBinary) => {
        if (isBinary) frame?.(data);
        client.send(isBinary ? data : JSON.stringify(toClient(JSON.parse(data.toString()))));
      });
      upstream.on('close', (code) => client.close(code === 1006 ? 1011 : code));
      client.on('close', () => upstream.terminate());
    });
    await once(proxy, 'listening');
    const address = proxy.address();
    assert.ok(typeof address === 'object' && address);
    return {
      url: `ws://127.0.0.1:${address.port}`,
      async [Symbol.asyncDispose]() {
        proxy.close();
        for (const client of proxy.clients) client.terminate();
        await server[Symbol.asyncDispose]();
      },
    };
  };

const inEvents = (change: (event: { offset: number; time: string }) => object) => (message: ServerMessage) =>
  message.op === 'events' ? { ...message, events: message.events.map(change) } : message;
const inWishes = (change: object) => (message: ClientMessage) =>
  message.op === 'subscribe' ? { ...message, ...change } : message;

const brokenServers: readonly (readonly [
  mistake: string,
  check: string,
  why: RegExp,
  start: ServerConformanceOptions['start'],
])[] = [
  [
    'an offset left out',
    'delivers every channel',
    /offsets follow/,
    spoilt({ toClient: inEvents((event) => ({ ...event, offset: event.offset + (event.offset > 3 ? 1 : 0) })) }),
  ],
  [
    'events without their type',
    'delivers every channel',
    /does not fit its schema/,
    spoilt({ toClient: inEvents(({ offset, time }) => ({ offset, time })) }),
  ],
  [
    'times of delivery in the place of times of events',
    'gives the same events',
    /metrics/,
    spoilt({ toClient: inEvents((event) => ({ ...event, time: new Date().toISOString() })) }),
  ],
  [
    'a gap that is concealed',
    'says when a position',
    /of another log/,
    spoilt({ toClient: (message) => (message.op === 'subscribed' ? { ...message, recovered: true } : message) }),
  ],
  [
    'everything for those who want the latest',
    'gives only what comes',
    /0/,
    spoilt({ toServer: inWishes({ from: 'earliest' }) }),
  ],
  [
    'decimation that does not thin',
    'thins channels',
    /deep-equal/,
    spoilt({ toServer: inWishes({ every: undefined }) }),
  ],
  [
    'pictures with a flipped bit',
    'sends pictures',
    /not those of the hash/,
    spoilt({ frame: (data) => void data.writeUInt8(1, 100) }),
  ],
  [
    'another code for the same error',
    'says what it does not understand',
    /GVU_SERVER_MESSAGE/,
    spoilt({
      toClient: (message) =>
        message.op === 'error' ? { ...message, error: { ...message.error, code: 'GVU_SERVER_INTERNAL' } } : message,
    }),
  ],
  ['no token asked for', 'lets in who has the token', /token/, ({ runs }) => startServer({ runs, token: undefined })],
  [
    'a channel that is not advertised',
    'greets with',
    /log/,
    spoilt({
      toClient: (message) =>
        message.op === 'hello'
          ? { ...message, channels: message.channels.filter(({ name }) => name !== 'log') }
          : message,
    }),
  ],
];

test.each(brokenServers)('a server with %s fails "%s"', patient, async (_, check, why, start) => {
  expect(String(await failureOf(serverConformance({ start, patienceMs }), check))).toMatch(why);
});

/** The client over a WebSocket that changes what is sent. */
function sending(change: (message: ClientMessage, socket: WebSocket) => object) {
  return connectWith(
    class extends WebSocket {
      override send(data: string): void {
        super.send(JSON.stringify(change(JSON.parse(data), this)));
      }
    },
  );
}

/** The client with items changed on the way. */
const telling =
  (change: (item: FollowItem) => readonly FollowItem[]): ClientConformanceOptions['connect'] =>
  (to) => {
    const client = connectWith()(to);
    return {
      request: (...all) => client.request(...all),
      async *follow(wish) {
        for await (const item of client.follow(wish)) yield* change(item);
      },
      [Symbol.dispose]: () => client[Symbol.dispose](),
    };
  };

const brokenClients: readonly (readonly [
  mistake: string,
  check: string,
  why: RegExp,
  connect: ClientConformanceOptions['connect'],
])[] = [
  [
    'its token in the address',
    'offers gvu.v1',
    /in the address/,
    ({ url, token }) => connectWith()({ url: token === undefined ? url : `${url}/?token=${token}`, token }),
  ],
  [
    'no patience',
    'asks for nothing',
    /does not wait/,
    sending((message, socket) => {
      if (message.op === 'hello')
        setImmediate(() =>
          WebSocket.prototype.send.call(socket, '{"op":"subscribe","id":9,"channel":"server","from":"latest"}', {}),
        );
      return message;
    }),
  ],
  [
    'no memory of where it was',
    'goes on where it was',
    /where it goes on/,
    sending((message) => (message.op === 'subscribe' ? { ...message, from: 'earliest' } : message)),
  ],
  [
    'an echo',
    'passes over what comes twice',
    /in the place of event 2/,
    telling((item) => (item.kind === 'event' && item.offset === 1 ? [item, item] : [item])),
  ],
  [
    'silence about what is void',
    'tells when what was collected',
    /another/,
    telling((item) => (item.kind === 'start' ? [{ ...item, recovered: true }] : [item])),
  ],
  [
    'a wrong count of what was dropped',
    'tells what was dropped',
    /5/,
    telling((item) => (item.kind === 'dropped' ? [{ ...item, to: item.to + 1 }] : [item])),
  ],
  [
    'one id for all requests',
    'matches answers',
    /one id/,
    sending((message) => (message.op === 'request' ? { ...message, id: 1 } : message)),
  ],
  [
    'messages that do not fit the protocol',
    'tells events',
    /does not fit its schema/,
    sending((message) => (message.op === 'subscribe' ? { ...message, from: 'the beginning' } : message)),
  ],
];

test.each(brokenClients)('a client with %s fails "%s"', patient, async (_, check, why, connect) => {
  expect(String(await failureOf(clientConformance({ connect, patienceMs }), check))).toMatch(why);
});
