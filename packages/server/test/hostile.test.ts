/** Frames that no client should send: each is answered or ends its own connection with a code, and nothing else happens. */
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createServer, type RunServer, type ServerLogEntry } from '../src/index.ts';
import { parseClientMessage } from '../src/protocol/parse.ts';
import { RawClient } from './raw-client.ts';
import { json, openRun, runsFolder, step } from './run-folder.ts';

let folder: Awaited<ReturnType<typeof runsFolder>>;
let server: RunServer;
const failures: ServerLogEntry[] = [];
beforeAll(async () => {
  folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  for (let n = 1; n <= 10; n++) log.append('step', json(step(n)));
  server = await createServer({
    runs: folder.path,
    // No limit of time: a busy machine must not close what it was to answer.
    limits: { messagesPerSecond: 1e6, frameBytes: 1 << 16, handshakeMs: 6e5, stallMs: 6e5, idleMs: 6e5 },
    log: (entry) => entry.event === 'failed' && failures.push(entry),
  });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
  expect(failures).toEqual([]);
});

const seed = 20_261;
/** Twenty times as much: 100,000 messages and as many over connections. */
const scale = process.env.GVU_LONG_FUZZ ? 20 : 1;
const long = { timeout: 60_000 * scale };
const answerOrClose = async (client: RawClient) =>
  await Promise.race([client.next('error').then(({ error }) => error.code), client.closed.then(({ code }) => code)]);

test.each<[string, string | Buffer, unknown]>([
  ['no JSON', 'hello', 4400],
  ['torn JSON', '{"op":"ping"', 4400],
  ['nothing', '', 4400],
  [
    'a number out of range',
    '{"op":"subscribe","id":1e999,"channel":"log","run":"a","from":"latest"}',
    'GVU_SERVER_MESSAGE',
  ],
  ['a key __proto__', '{"op":"request","id":1,"method":"runs","params":{"__proto__":{"x":1}}}', 'GVU_SERVER_MESSAGE'],
  ['deep nesting', `{"op":"ping","x":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, 'GVU_SERVER_MESSAGE'],
  ['an inherited name as op', '{"op":"toString"}', 'GVU_SERVER_MESSAGE'],
  ['null', 'null', 'GVU_SERVER_MESSAGE'],
  ['a second hello', '{"op":"hello","client":{"name":"x","version":"1"}}', 'GVU_SERVER_MESSAGE'],
  ['a huge frame', 'x'.repeat(1 << 17), 1009],
  ['a binary frame', Buffer.from([1, 2, 3]), 4400],
])('%s', async (_, frame, expected) => {
  using client = await RawClient.greet(server);
  client.socket.send(frame);
  expect(await answerOrClose(client)).toBe(typeof frame === 'string' ? expected : 1003);
});

test('invalid UTF-8, a reserved bit and a broken length end the connection', async () => {
  for (const bytes of [
    [0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28], // text that is no UTF-8
    [0xf1, 0x80, 0, 0, 0, 0], // reserved bits
    [0x81, 0x02, 0x68, 0x69], // not masked
    [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], // 2^64 bytes
    [0x80, 0x81, 0, 0, 0, 0, 0x41], // a continuation of nothing
  ]) {
    const ended = await new Promise<boolean>((resolve) => {
      const socket = connect(server.port, '127.0.0.1');
      const key = Buffer.alloc(16).toString('base64');
      socket.write(
        `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: gvu.v1\r\n\r\n`,
      );
      let upgraded = false;
      socket.on('data', (data) => {
        if (!upgraded && data.includes('101 ')) socket.write(Buffer.from(bytes));
        upgraded = true;
      });
      socket.on('error', () => undefined);
      socket.on('end', () => socket.end());
      socket.on('close', () => resolve(upgraded));
    });
    expect(ended).toBe(true);
  }
});

/** Messages that are nearly right: every field may be of another kind, missing, or foreign. */
const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(-1, 0, 2 ** 53, 1e308, '..', '__proto__', 'a', 'log'),
);
const nearly = fc.record(
  {
    op: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom('subscribe', 'unsubscribe', 'request', 'cancel', 'ping', 'hello') },
      { weight: 1, arbitrary: anything },
    ),
    id: fc.oneof(fc.integer({ min: 1, max: 50 }), anything),
    run: fc.oneof(fc.constantFrom('a', 'b', '../a'), anything),
    channel: fc.oneof(fc.constantFrom('metrics', 'log', 'images', 'server'), anything),
    from: fc.oneof(fc.constantFrom('earliest', 'latest'), anything),
    method: fc.oneof(fc.constantFrom('runs', 'run.stop', 'generate'), anything),
    params: anything,
    every: anything,
    maxRate: anything,
    images: fc.oneof(fc.constantFrom('full', 'thumbnail'), anything),
    deadlineMs: anything,
  },
  { requiredKeys: ['op'] },
);

test('nearly right messages: parsed, or refused with a code', long, () => {
  fc.assert(
    fc.property(nearly, (message) => {
      try {
        parseClientMessage(JSON.parse(JSON.stringify(message)));
      } catch (error) {
        expect(error).toMatchObject({ code: 'GVU_SERVER_MESSAGE' });
      }
    }),
    { seed, numRuns: 5_000 * scale },
  );
});

test('nearly right messages over a connection: the server answers a ping afterwards', long, async () => {
  using client = await RawClient.greet(server);
  await fc.assert(
    fc.asyncProperty(fc.array(nearly, { minLength: 20, maxLength: 40 }), async (messages) => {
      for (const message of messages) client.send(message);
      client.send({ op: 'ping' });
      await client.next('pong');
    }),
    { seed, numRuns: 170 * scale },
  );
});

test('any text at all, as whole frames and in pieces', long, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'binary', maxLength: 200 }), { minLength: 1, maxLength: 5 }),
      async (texts) => {
        using client = await RawClient.greet(server);
        for (const [i, text] of texts.entries()) client.socket.send(text, { fin: i === texts.length - 1 });
        expect([4400, 'GVU_SERVER_MESSAGE']).toContain(await answerOrClose(client));
      },
    ),
    { seed, numRuns: 100 * scale },
  );
});

test('too many messages', async () => {
  await using strict = await createServer({ runs: folder.path, limits: { messagesPerSecond: 10 } });
  using client = await RawClient.greet(strict);
  for (let i = 0; i < 30; i++) client.send({ op: 'ping' });
  expect(await client.closed).toEqual({ code: 4429, reason: 'too many messages' });
  using pinging = await RawClient.greet(strict);
  for (let i = 0; i < 30; i++) pinging.socket.ping();
  expect((await pinging.closed).code).toBe(4429);
});

test('as many subscriptions as allowed, each with its own id', async () => {
  using client = await RawClient.greet(server);
  const wish = { op: 'subscribe', run: 'a', channel: 'metrics', from: 'earliest' };
  for (let id = 1; id <= 64; id++) client.send({ ...wish, id });
  for (let i = 1; i <= 64; i++) await client.next('events');
  client.send({ ...wish, id: 65 });
  expect(await client.next('unsubscribed')).toMatchObject({ id: 65, error: { code: 'GVU_SERVER_SUBSCRIPTION' } });
  client.send({ ...wish, id: 64 });
  expect(await client.next('error')).toMatchObject({ id: 64, error: { code: 'GVU_SERVER_SUBSCRIPTION' } });
  client.send({ op: 'unsubscribe', id: 64 });
  expect(await client.next('unsubscribed')).toEqual({ op: 'unsubscribed', id: 64 });
  client.send({ ...wish, id: 64 });
  expect(await client.next('subscribed')).toMatchObject({ id: 64, offset: 0, head: 10 });
});
