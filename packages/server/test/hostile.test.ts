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
/** Twenty times as much: 100,000 messages, as many over one connection, and 40,000 frames as bytes over 4,000 others. */
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

/** Upgrades, says hello, sends bytes as they are and hangs up its side; what came back after the hello. */
async function answerToBytes(bytes: Buffer): Promise<Buffer> {
  const socket = connect(server.port, '127.0.0.1');
  const received: Buffer[] = [];
  const key = Buffer.alloc(16).toString('base64');
  socket.write(
    `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: gvu.v1\r\n\r\n`,
  );
  socket.write(frame({ opcode: 1, payload: Buffer.from('{"op":"hello","client":{"name":"x","version":"1"}}') }));
  let greeted = false;
  await new Promise<void>((resolve) => {
    socket.on('data', (data) => {
      received.push(data);
      if (greeted || !Buffer.concat(received).includes('"clock"')) return;
      greeted = true;
      received.length = 0;
      socket.end(bytes);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
  });
  expect(greeted).toBe(true);
  return Buffer.concat(received);
}

interface RawFrame {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly final?: boolean;
  readonly reserved?: number;
  readonly masked?: boolean;
  /** What it claims to hold. */
  readonly length?: bigint;
}

function frame({ opcode, payload, final = true, reserved = 0, masked = true, length }: RawFrame): Buffer {
  const claimed = length ?? BigInt(payload.length);
  const head = Buffer.alloc(10);
  head[0] = (final ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | (claimed < 126n ? Number(claimed) : claimed < 65_536n ? 126 : 127);
  if (claimed >= 65_536n) head.writeBigUInt64BE(claimed, 2);
  else if (claimed >= 126n) head.writeUInt16BE(Number(claimed), 2);
  const size = claimed < 126n ? 2 : claimed < 65_536n ? 4 : 10;
  // Masked with zeros, which leaves the payload as it is.
  return Buffer.concat([head.subarray(0, size), Buffer.alloc(masked ? 4 : 0), payload]);
}

/** The close codes and the operations of the messages in what a server sent, which may end in the middle of a frame. */
function framesOf(bytes: Buffer): { readonly closes: number[]; readonly ops: string[] } {
  const found = { closes: [] as number[], ops: [] as string[] };
  for (let at = 0; at + 2 <= bytes.length; ) {
    const [opcode, short] = [(bytes[at] ?? 0) & 15, bytes[at + 1] ?? 0];
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    const begin = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    const payload = bytes.subarray(begin, begin + length);
    if (opcode === 8) found.closes.push(length >= 2 ? payload.readUInt16BE(0) : 1005);
    if (opcode === 1) found.ops.push(JSON.parse(payload.toString()).op);
    at = begin + length;
  }
  return found;
}

test.each<[string, RawFrame, number]>([
  ['text that is no UTF-8', { opcode: 1, payload: Buffer.from([0xc3, 0x28]) }, 1007],
  ['reserved bits', { opcode: 1, payload: Buffer.alloc(0), reserved: 7 }, 1002],
  ['no mask', { opcode: 1, payload: Buffer.from('hi'), masked: false }, 1002],
  ['2^63 bytes', { opcode: 1, payload: Buffer.alloc(2), length: 2n ** 63n }, 1009],
  ['an unknown kind', { opcode: 5, payload: Buffer.alloc(0) }, 1002],
  ['a continuation of nothing', { opcode: 0, payload: Buffer.from('A') }, 1002],
  ['a ping in two parts', { opcode: 9, payload: Buffer.alloc(0), final: false }, 1002],
])('bytes: %s', async (_, raw, code) => {
  expect(framesOf(await answerToBytes(frame(raw))).closes).toEqual([code]);
});

const rawFrame = fc.record(
  {
    opcode: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(0, 1) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 15 }) },
    ),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom('{"op":"ping"}', '{"op":', '"ping"}', '{"op":"nope"}', '{}').map((text) => Buffer.from(text)),
    ),
    final: fc.boolean(),
    reserved: fc.oneof(
      { weight: 9, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 7 }) },
    ),
    masked: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    length: fc.oneof(
      { weight: 9, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
    ),
  },
  { requiredKeys: ['opcode', 'payload'] },
);

test('frames in any order, torn and lying, as bytes: answered or closed with a known code', long, async () => {
  const known = [1000, 1002, 1003, 1005, 1007, 1009, 4400];
  await fc.assert(
    fc.asyncProperty(fc.array(rawFrame, { minLength: 1, maxLength: 20 }), async (frames) => {
      const bytes = Buffer.concat(
        frames.map(({ length, ...rest }) => frame(length === undefined ? rest : { ...rest, length })),
      );
      const { closes, ops } = framesOf(await answerToBytes(bytes));
      expect(closes.length).toBeLessThanOrEqual(1);
      // A client that closes has its own code sent back.
      const own = frames.some(({ opcode }) => opcode === 8);
      for (const code of closes) if (!own) expect(known).toContain(code);
      for (const op of ops) expect(['pong', 'error']).toContain(op);
    }),
    { seed, numRuns: 200 * scale },
  );
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

test('after all this nothing is left of those who have gone', async () => {
  using client = await RawClient.greet(server);
  client.send({ op: 'subscribe', id: 1, channel: 'server', from: 'latest' });
  for (;;) {
    const { events } = await client.next('events');
    const stats = events.findLast(({ type }) => type === 'server.stats')?.data;
    // Those who have just left may still be on their way out.
    if (stats !== undefined && JSON.stringify(stats).startsWith('{"connections":1,"subscriptions":1,')) return;
  }
});
