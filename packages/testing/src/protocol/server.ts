/**
 * The conformance kit of servers of `gvu.v1`: one that passes can be used by every client of the protocol. It is given a folder with a run
 * that grows meanwhile, and is spoken to over real connections, politely and not.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  type ChannelEvent,
  CloseCode,
  channels,
  type From,
  type ImageFrame,
  methods,
  type RunChannelName,
  SUBPROTOCOL,
  type Subscribe,
  TOKEN_SUBPROTOCOL,
} from '@gvu/server/protocol';
import type { ConformanceCheck } from '../check.ts';
import { RecordedRun } from './recorded-run.ts';
import { assertSchema, hello, Wire } from './wire.ts';

export interface ServerUnderTest extends AsyncDisposable {
  /** Such as `ws://127.0.0.1:8642`. */
  readonly url: string;
}

export interface ServerConformanceOptions {
  /**
   * Starts a server over a folder of runs; called for each check, in some twice. With a token, that one gives the scope `read`, and without
   * it nobody is let in; without, everybody may read. It serves no model and steers nothing.
   */
  readonly start: (given: { readonly runs: string; readonly token: string | undefined }) => Promise<ServerUnderTest>;
  /** How long any answer may take, in milliseconds. Default 10 000. */
  readonly patienceMs?: number;
}

const runChannels = channels.map(({ name }) => name).filter((name): name is RunChannelName => name !== 'server');
const token = 'token-of-the-conformance-kit';
const run = 'first';

export function serverConformance({
  start,
  patienceMs = 10_000,
}: ServerConformanceOptions): readonly ConformanceCheck[] {
  const options = { patienceMs };
  /** Does something with a server over a run of ten steps. */
  const withServer = async (work: (url: string, recorded: RecordedRun) => Promise<void>, given?: string) => {
    await using recorded = await RecordedRun.create(10);
    await using server = await start({ runs: recorded.runs, token: given });
    await work(server.url, recorded);
  };
  const withWire = async (work: (wire: Wire, recorded: RecordedRun) => Promise<void>) =>
    await withServer(async (url, recorded) => {
      using wire = await Wire.greet(url, options);
      await work(wire, recorded);
    });

  return [
    {
      name: 'closes with 4406 where no subprotocol is in common',
      run: () =>
        withServer(async (url) => {
          for (const protocols of [['gvu.v0', 'chat'], []]) {
            using wire = await Wire.open(url, { ...options, protocols });
            assert.equal(await wire.closeCode(), CloseCode.notSupported, `offered: ${protocols.join(', ')}`);
          }
          using wire = await Wire.open(url, { ...options, protocols: ['chat', SUBPROTOCOL] });
          assert.equal(wire.socket.protocol, SUBPROTOCOL);
        }),
    },
    {
      name: 'greets with what it is and what it offers',
      run: () =>
        withServer(async (url) => {
          using wire = await Wire.open(url, options);
          wire.send({ ...hello, requires: [], 'a field of tomorrow': 1 });
          const greeting = await wire.next('hello');
          assert.deepEqual(
            greeting.channels.map(({ name, class: kind }) => [name, kind]),
            channels.map(({ name, class: kind }) => [name, kind]),
          );
          for (const { name, schema } of greeting.channels) {
            const { properties } = schema as { readonly properties?: object }; // an object, says the schema of the hello
            assert.ok(properties && 'data' in properties, `the schema of ${name} says nothing about its events`);
          }
          assert.deepEqual([greeting.run, greeting.runs.map((one) => one.run)], [run, [run]]);
          assert.equal(greeting.epoch, greeting.runs[0]?.epoch);
          assert.ok(greeting.capabilities.includes('runs'), 'every server can list its runs');
          assert.deepEqual(greeting.scopes.includes('control'), false, 'nobody may steer');
          assert.ok(Math.abs(Date.parse(greeting.clock) - Date.now()) < 60_000, `its clock says ${greeting.clock}`);
        }),
    },
    {
      name: 'refuses a client that requires what it does not have',
      run: () =>
        withServer(async (url) => {
          using wire = await Wire.open(url, options);
          wire.send({ ...hello, requires: ['telepathy'] });
          assert.equal(await wire.closeCode(), CloseCode.notSupported);
        }),
    },
    {
      name: 'lets in who has the token, by message or subprotocol, and nobody else',
      run: () =>
        withServer(async (url) => {
          for (const wrong of [undefined, '', `${token}x`, token.slice(1)]) {
            using wire = await Wire.open(url, options);
            wire.send({ ...hello, ...(wrong !== undefined && { token: wrong }) });
            const answer = await Promise.race([wire.closeCode(), wire.next('hello').then(({ op }) => op)]);
            assert.equal(answer, CloseCode.unauthorized, `the token ${wrong}`);
          }
          using first = await Wire.greet(url, options, token);
          await first.assertAlive();
          const offered = `${TOKEN_SUBPROTOCOL}${Buffer.from(token).toString('base64url')}`;
          using second = await Wire.open(url, { ...options, protocols: [SUBPROTOCOL, offered] });
          second.send(hello);
          await second.next('hello');
          assert.equal(second.socket.protocol, SUBPROTOCOL, 'a token is never the answer to a handshake');
        }, token),
    },
    {
      name: 'delivers every channel from its beginning and live, without a gap',
      run: () =>
        withWire(async (wire, recorded) => {
          for (const [i, channel] of runChannels.entries()) {
            const { schema } = channels.find(({ name }) => name === channel) ?? { schema: {} };
            const subscribed = await subscribe(wire, { id: i + 1, channel, from: 'earliest' });
            assert.deepEqual([subscribed.offset, subscribed.recovered], [0, true], `the beginning of ${channel}`);
            const history = await collect(wire, subscribed.id, { from: 0, to: subscribed.head });
            await recorded.steps(5);
            const live = await collect(wire, subscribed.id, { from: subscribed.head, to: subscribed.head + 1 });
            for (const event of [...history, ...live]) assertSchema(event, schema, `An event of ${channel}`);
            const seqs = history.map(({ seq }) => seq);
            assert.deepEqual(
              seqs,
              [...seqs].sort((a, b) => a - b),
              `${channel} is in the order of the log`,
            );
          }
        }),
    },
    {
      name: 'gives the same events at the same offsets after it was restarted',
      async run() {
        await using recorded = await RecordedRun.create(10);
        const read = async (channel: RunChannelName, from: (epoch: string, head: number) => From) => {
          await using server = await start({ runs: recorded.runs, token: undefined });
          using wire = await Wire.greet(server.url, options);
          const { epoch, head } = await subscribe(wire, { id: 1, channel, from: 'latest' });
          const { offset, recovered } = await subscribe(wire, { id: 2, channel, from: from(epoch, head) });
          return { offset, recovered, events: await collect(wire, 2, { from: offset, to: head }) };
        };
        for (const channel of runChannels) {
          const { events } = await read(channel, () => 'earliest');
          const at = events.length >> 1;
          const again = await read(channel, (epoch) => ({ epoch, offset: at }));
          assert.deepEqual([again.offset, again.recovered], [at, true], `${channel} from ${at}`);
          assert.deepEqual(again.events, events.slice(at), channel);
        }
      },
    },
    {
      name: 'says when a position is not there, and begins anew',
      run: () =>
        withWire(async (wire) => {
          const { epoch, head } = await subscribe(wire, { id: 1, channel: 'log', from: 'latest' });
          const positions = [
            { epoch: 'of another log', offset: 0 },
            { epoch, offset: head + 1 },
          ];
          for (const [i, from] of positions.entries()) {
            const subscribed = await subscribe(wire, { id: i + 2, channel: 'log', from });
            assert.deepEqual([subscribed.recovered, subscribed.offset], [false, 0], JSON.stringify(from));
            await collect(wire, subscribed.id, { from: 0, to: head });
          }
          const end = await subscribe(wire, { id: 9, channel: 'log', from: { epoch, offset: head } });
          assert.deepEqual([end.recovered, end.offset], [true, head], 'the end is a position too');
        }),
    },
    {
      name: 'gives only what comes to those who ask for the latest',
      run: () =>
        withWire(async (wire, recorded) => {
          const { offset, head } = await subscribe(wire, { id: 1, channel: 'metrics', from: 'latest' });
          assert.equal(offset, head);
          await recorded.steps(1);
          const [event] = await collect(wire, 1, { from: head, to: head + 1 });
          assert.equal(event?.offset, head);
        }),
    },
    {
      name: 'sends pictures as binary frames, whole and small',
      run: () =>
        withWire(async (wire) => {
          for (const [id, images] of [
            [1, 'full'],
            [2, 'thumbnail'],
          ] as const) {
            const { head } = await subscribe(wire, { id, channel: 'images', from: 'earliest', images });
            for (let offset = 0; offset < head; offset++) {
              const frame = await wire.delivery(id);
              assert.ok('bytes' in frame, `picture ${offset} is no frame`);
              assertPicture(frame, { offset, thumbnail: images === 'thumbnail' });
            }
          }
        }),
    },
    {
      name: 'thins channels on request, tells what it left out, and refuses to thin those that lose nothing',
      run: () =>
        withWire(async (wire, recorded) => {
          const { head } = await subscribe(wire, { id: 1, channel: 'metrics', from: 'earliest', every: 3 });
          const offsets: number[] = [];
          while (offsets.length < Math.ceil(head / 3)) {
            const message = await wire.delivery(1);
            if ('op' in message && message.op === 'events') offsets.push(...message.events.map(({ offset }) => offset));
          }
          assert.deepEqual(
            offsets,
            offsets.map((_, i) => 3 * i),
          );
          await subscribe(wire, { id: 2, channel: 'metrics', from: 'latest', maxRate: 5 });
          for (let i = 0; i < 40; i++) await recorded.steps(1);
          // Each offset is delivered or reported, the last one too.
          let next = head;
          for (let dropped = 0; next < head + 40; ) {
            const message = await wire.delivery(2);
            assert.ok('op' in message);
            if (message.op === 'events') for (const { offset } of message.events) assert.equal(offset, next++);
            else {
              assert.deepEqual([message.from, message.reason], [next, 'rate']);
              dropped += message.to - message.from;
              next = message.to;
            }
            if (next === head + 40) assert.ok(dropped > 0, '40 steps at once were not too many');
          }
          for (const thinned of [{ every: 2 }, { maxRate: 1 }]) {
            wire.send({ op: 'subscribe', id: 3, run, channel: 'lifecycle', from: 'earliest', ...thinned });
            assert.equal((await wire.next('unsubscribed')).error?.code, 'GVU_SERVER_SUBSCRIPTION');
          }
        }),
    },
    {
      name: 'holds subscriptions to their ids',
      run: () =>
        withWire(async (wire) => {
          await subscribe(wire, { id: 7, channel: 'log', from: 'latest' });
          wire.send({ op: 'subscribe', id: 7, run, channel: 'metrics', from: 'latest' });
          const { id, error } = await wire.next('error');
          assert.deepEqual([id, error.code], [7, 'GVU_SERVER_SUBSCRIPTION']);
          wire.send({ op: 'unsubscribe', id: 7 });
          assert.deepEqual(await wire.next('unsubscribed'), { op: 'unsubscribed', id: 7 });
          await subscribe(wire, { id: 7, channel: 'metrics', from: 'latest' });
        }),
    },
    {
      name: 'answers requests once, each with its id',
      run: () =>
        withWire(async (wire) => {
          const ask = async (id: number, method: string, params: unknown) => {
            wire.send({ op: 'request', id, method, params });
            const answer = await wire.next('result', 'error');
            assert.equal(answer.id, id);
            return answer.op === 'result' ? answer.result : answer.error.code;
          };
          assertSchema(await ask(1, 'runs', {}), methods.runs.result, 'The result of "runs"');
          for (const method of ['nothing', 'toString', 'generate', 'run.stop'])
            assert.equal(await ask(2, method, {}), 'GVU_SERVER_METHOD', method);
          assert.equal(await ask(3, 'runs', []), 'GVU_SERVER_MESSAGE', 'parameters that are a list');
          wire.send({ op: 'cancel', id: 99 });
          await wire.assertAlive();
        }),
    },
    {
      name: 'finds no run by a name that leads elsewhere',
      run: () =>
        withWire(async (wire) => {
          const names = ['../first', 'first/../first', '/first', '.', '..', 'first%2f..', 'first\u0000', '', 'other'];
          for (const [i, name] of names.entries()) {
            wire.send({ op: 'subscribe', id: i + 1, run: name, channel: 'log', from: 'earliest' });
            const { error } = await wire.next('unsubscribed', 'error');
            assert.match(error?.code ?? 'none', /^GVU_SERVER_(RUN_UNKNOWN|MESSAGE)$/, JSON.stringify(name));
          }
        }),
    },
    {
      name: 'says what it does not understand, and goes on',
      run: () =>
        withWire(async (wire) => {
          const from = 'latest';
          const wrong: readonly (readonly [message: unknown, id: number | null])[] = [
            [null, null],
            [[], null],
            [{ op: 'toString' }, null],
            [{ op: 'subscribe', id: 4, run, channel: 'nothing', from }, 4],
            [{ op: 'subscribe', id: 2 ** 32, run, channel: 'log', from }, 2 ** 32],
            [{ op: 'subscribe', id: 0, run, channel: 'log', from }, 0],
            [{ op: 'request', id: 5 }, 5],
            [hello, null],
          ];
          for (const [message, id] of wrong) {
            wire.send(message);
            const { error, id: answered } = await wire.next('error');
            assert.deepEqual([answered, error.code], [id, 'GVU_SERVER_MESSAGE'], JSON.stringify(message));
          }
          wire.socket.send(`{"op":"ping","x":${'['.repeat(5000)}${']'.repeat(5000)}}`);
          assert.equal((await wire.next('error', 'pong')).op, 'error', 'nesting of 5,000');
          await wire.assertAlive();
        }),
    },
    {
      name: 'closes on what is no message, with the code for it',
      run: () =>
        withServer(async (url) => {
          const [limit, bad] = [1 << 24, CloseCode.badMessage];
          const wrong: readonly (readonly [what: string, data: string | Buffer, code: number])[] = [
            ['no JSON', '{"op":', bad],
            ['nothing', '', bad],
            ['a binary frame', Buffer.from([1]), CloseCode.unsupportedData],
            ['a frame of 16 MB', 'x'.repeat(limit), CloseCode.frameTooLarge],
          ];
          for (const [what, data, code] of wrong) {
            using wire = await Wire.greet(url, options);
            wire.socket.send(data, { binary: typeof data !== 'string' });
            assert.equal(await wire.closeCode(), code, what);
          }
          using stranger = await Wire.open(url, options);
          stranger.send({ op: 'ping' });
          assert.equal(await stranger.closeCode(), bad, 'no hello');
          using garbled = await Wire.greet(url, options);
          garbled.socket.send(Buffer.from([0xc3, 0x28]), { binary: false });
          assert.equal(await garbled.closeCode(), CloseCode.invalidText, 'text that is not UTF-8');
        }),
    },
    {
      name: 'waits for no client that stops reading, which misses nothing',
      run: () =>
        withServer(async (url, recorded) => {
          using stalled = await Wire.greet(url, options);
          const { epoch, head } = await subscribe(stalled, { id: 1, channel: 'log', from: 'latest' });
          stalled.socket.pause();
          using other = await Wire.greet(url, options);
          await subscribe(other, { id: 1, channel: 'log', from: 'latest' });
          const [count, bytes] = [400, 50_000]; // more than the operating system takes
          await recorded.fill(count, bytes);
          await collect(other, 1, { from: head, to: head + count });
          stalled.socket.resume();
          let next = head;
          const rest = async (wire: Wire) => {
            while (next < head + count) {
              const message = await wire.delivery(1);
              assert.ok('op' in message && message.op === 'events', 'a lossless channel drops nothing');
              for (const { offset } of message.events) assert.equal(offset, next++);
            }
          };
          // It may have been sent away meanwhile, and then goes on from where it was.
          const sentAway = stalled.closed.then(() => true);
          const failed = await Promise.race([rest(stalled).then(() => undefined), sentAway.then(() => true)]);
          if (failed === undefined) return;
          using again = await Wire.greet(url, options);
          const { offset, recovered } = await subscribe(again, {
            id: 1,
            channel: 'log',
            from: { epoch, offset: next },
          });
          assert.deepEqual([offset, recovered], [next, true]);
          await rest(again);
        }),
    },
  ];
}

async function subscribe(wire: Wire, wish: Omit<Subscribe, 'op' | 'run'>) {
  wire.send({ op: 'subscribe', run, ...wish });
  const answer = await wire.next('subscribed', 'unsubscribed', 'error');
  assert.ok(answer.op === 'subscribed', `subscribing to ${wish.channel} is answered with ${JSON.stringify(answer)}`);
  assert.deepEqual([answer.id, answer.channel, answer.run], [wish.id, wish.channel, run]);
  return answer;
}

/** The events of a subscription from one offset to another, of which none may be missing. */
async function collect(wire: Wire, id: number, { from, to }: { from: number; to: number }): Promise<ChannelEvent[]> {
  const events: ChannelEvent[] = [];
  while (from + events.length < to) {
    const message = await wire.delivery(id);
    assert.ok('op' in message, 'a picture came that nobody asked for');
    assert.ok(message.op === 'events', `offsets were left out: ${JSON.stringify(message)}`);
    for (const event of message.events) {
      assert.equal(event.offset, from + events.length, 'offsets follow each other');
      events.push(event);
    }
  }
  return events;
}

function assertPicture(frame: ImageFrame, { offset, thumbnail }: { offset: number; thumbnail: boolean }): void {
  assert.deepEqual([frame.kind, frame.offset, frame.thumbnail, frame.media], ['event', offset, thumbnail, 'image/png']);
  const sha256 = createHash('sha256').update(frame.bytes).digest('hex');
  if (!thumbnail) assert.equal(frame.sha256, sha256, 'the bytes are not those of the hash');
  assert.equal(Buffer.from(frame.bytes.subarray(1, 4)).toString(), 'PNG');
}
