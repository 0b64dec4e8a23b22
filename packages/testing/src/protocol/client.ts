/**
 * The conformance kit of clients of `gvu.v1`: one that passes loses nothing, whatever happens to its connection. It talks to a scripted
 * server that breaks off, repeats itself, forgets and says things of a later version.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { CloseCode, SUBPROTOCOL, TOKEN_SUBPROTOCOL } from '@gvu/server/protocol';
import { assertCoded } from '../assertions.ts';
import type { ConformanceCheck } from '../check.ts';
import { event, frameOf, type Peer, ScriptedServer, theEpoch } from './scripted-server.ts';
import { within } from './wire.ts';

/** What a client tells of a subscription, in order. */
export type FollowItem =
  /** It begins, or begins anew: without `recovered`, what was collected before counts no more. */
  | { readonly kind: 'start'; readonly epoch: string; readonly offset: number; readonly recovered: boolean }
  | { readonly kind: 'event'; readonly offset: number; readonly data: unknown }
  | { readonly kind: 'image'; readonly offset: number; readonly sha256: string; readonly bytes: Uint8Array }
  /** Offsets `from` to `to - 1` were left out. */
  | { readonly kind: 'dropped'; readonly from: number; readonly to: number };

export interface ClientUnderTest extends Disposable {
  /** Follows a channel of a run from its beginning, over any number of connections; throws when there can be no more. */
  follow(wish: { readonly run: string; readonly channel: 'metrics' | 'images' }): AsyncIterable<FollowItem>;
  /** Calls a method; fails with an error whose `code` is that of the server. */
  request(
    method: string,
    params: object,
    options: { readonly signal?: AbortSignal; readonly onImage?: (sha256: string) => void },
  ): Promise<unknown>;
}

export interface ClientConformanceOptions {
  /** A new client; it should try to connect again within a second. */
  readonly connect: (to: { readonly url: string; readonly token: string | undefined }) => ClientUnderTest;
  /** How long anything may take, in milliseconds. Default 10 000. */
  readonly patienceMs?: number;
}

/** How long a client that must not come back is watched. */
const quietMs = 1500;
const range = (from: number, to: number): readonly number[] => Array.from({ length: to - from }, (_, i) => from + i);

export function clientConformance({
  connect,
  patienceMs = 10_000,
}: ClientConformanceOptions): readonly ConformanceCheck[] {
  interface Stage {
    readonly server: ScriptedServer;
    readonly client: ClientUnderTest;
    /** What a subscription tells next, the first of a kind. */
    readonly take: <K extends FollowItem['kind']>(kind: K) => Promise<Extract<FollowItem, { readonly kind: K }>>;
    /** Fails unless the events with these offsets come next, and nothing else does. */
    readonly expect: (offsets: readonly number[]) => Promise<void>;
  }
  const withClient = async (
    work: (stage: Stage) => Promise<void>,
    { channel = 'metrics' as 'metrics' | 'images', token = undefined as string | undefined } = {},
  ): Promise<void> => {
    await using server = await ScriptedServer.listen(patienceMs);
    using client = connect({ url: server.url, token });
    const items = client.follow({ run: 'first', channel })[Symbol.asyncIterator]();
    // One ahead: some iterators do nothing before they are asked.
    const ask = () => {
      const asked = items.next();
      asked.catch(() => undefined); // whoever takes it has the error
      return asked;
    };
    let upcoming = ask();
    const next = async (what: string): Promise<FollowItem> => {
      const { value } = await within(upcoming, patienceMs, `${what} from the client`);
      assert.ok(value, `the subscription ended before ${what}`);
      upcoming = ask();
      return value;
    };
    await work({
      server,
      client,
      take: async (kind) => {
        const item = await next(kind);
        assert.equal(item.kind, kind, `the client tells ${JSON.stringify(item)}`);
        return item as Extract<FollowItem, { readonly kind: typeof kind }>; // its kind says so
      },
      expect: async (offsets) => {
        for (const offset of offsets) {
          const item = await next(`event ${offset}`);
          assert.deepEqual(
            item.kind === 'event' && [item.offset, item.data],
            [offset, event(offset).data],
            `in the place of event ${offset} the client tells ${JSON.stringify(item)}`,
          );
        }
      },
    });
  };

  /** The first connection, with a subscription that has begun. */
  const begun = async ({ server, take }: Stage): Promise<{ peer: Peer; id: number }> => {
    const peer = await server.peer();
    const wish = await peer.begin();
    assert.equal(wish.from, 'earliest');
    peer.subscribed(wish, { offset: 0 });
    assert.deepEqual(pick(await take('start')), { epoch: theEpoch, offset: 0, recovered: true });
    return { peer, id: wish.id };
  };
  /** The next connection, on which the client must ask from a position. */
  const resumed = async ({ server }: Pick<Stage, 'server'>, offset: number) => {
    const peer = await server.peer();
    const wish = await peer.begin();
    assert.deepEqual(wish.from, { epoch: theEpoch, offset }, 'where it goes on');
    return { peer, wish };
  };

  return [
    {
      name: 'offers gvu.v1, speaks first, and keeps its token out of the address',
      run: async () => {
        const token = 'secret-token-of-the-kit';
        const asked = async ({ server }: Stage) => {
          const peer = await server.peer();
          assert.ok(peer.protocols.includes(SUBPROTOCOL), `it offers ${peer.protocols.join(', ')}`);
          const said = await peer.greet();
          const encoded = `${TOKEN_SUBPROTOCOL}${Buffer.from(token).toString('base64url')}`;
          assert.ok(said.token === token || peer.protocols.includes(encoded), 'it gives its token');
          assert.ok(!peer.url.includes(token), 'its token is in the address');
        };
        await withClient(asked, { token });
      },
    },
    {
      name: 'asks for nothing before it was greeted',
      run: () =>
        withClient(async ({ server }) => {
          const peer = await server.peer();
          await peer.next('hello');
          await sleep(100);
          assert.deepEqual(peer.waiting, [], 'it does not wait for the answer to its hello');
        }),
    },
    {
      name: 'tells events in order',
      run: () =>
        withClient(async (stage) => {
          const { peer, id } = await begun(stage);
          peer.events(id, 0, 1, 2);
          peer.send({ op: 'events', id, events: range(3, 30).map(event) });
          await stage.expect(range(0, 30));
        }),
    },
    {
      name: 'goes on where it was after any loss of the connection, missing nothing',
      run: () =>
        withClient(async (stage) => {
          const { peer: first, id } = await begun(stage);
          let [peer, at] = [first, { id, offset: 0 }];
          // Nothing at all, one event, some; before and after they were looked at.
          for (const [count, look] of [
            [0, true],
            [1, false],
            [3, true],
            [4, false],
            [0, false],
            [5, true],
          ] as const) {
            const offsets = range(at.offset, at.offset + count);
            peer.events(at.id, ...offsets);
            if (look) await stage.expect(offsets);
            else await flushed(peer);
            peer.socket.terminate();
            const offset = at.offset + count;
            const next = await resumed(stage, offset);
            if (!look) await stage.expect(offsets);
            next.peer.subscribed(next.wish, { offset });
            [peer, at] = [next.peer, { id: next.wish.id, offset }];
          }
          peer.events(at.id, at.offset);
          await stage.expect([at.offset]);
        }),
    },
    {
      name: 'passes over what comes twice',
      run: () =>
        withClient(async (stage) => {
          const { peer, id } = await begun(stage);
          peer.events(id, 0, 1, 1, 0, 2);
          peer.send({ op: 'events', id, events: [1, 2, 3, 3, 4].map(event) });
          await stage.expect(range(0, 5));
        }),
    },
    {
      name: 'tells when what was collected counts no more',
      run: () =>
        withClient(async (stage) => {
          const { peer, id } = await begun(stage);
          peer.events(id, 0, 1, 2);
          await stage.expect([0, 1, 2]);
          peer.socket.terminate();
          const next = await resumed(stage, 3);
          next.peer.subscribed(next.wish, { offset: 0, recovered: false, epoch: 'another' });
          assert.deepEqual(pick(await stage.take('start')), { epoch: 'another', offset: 0, recovered: false });
          next.peer.events(next.wish.id, 0, 1);
          await stage.expect([0, 1]);
        }),
    },
    {
      name: 'begins anew when the log was replaced under it',
      run: () =>
        withClient(async (stage) => {
          const { peer, id } = await begun(stage);
          peer.events(id, 0, 1);
          await stage.expect([0, 1]);
          peer.send({ op: 'unsubscribed', id, error: { code: 'GVU_SERVER_EPOCH', message: 'It was replaced.' } });
          const again = await peer.next('subscribe');
          peer.subscribed(again, { offset: 0, recovered: again.from === 'earliest', epoch: 'another' });
          const { epoch, offset } = await stage.take('start');
          assert.deepEqual([epoch, offset], ['another', 0]);
          peer.events(again.id, 0);
          await stage.expect([0]);
        }),
    },
    {
      name: 'tells what was dropped, and does not ask for it again',
      run: () =>
        withClient(async (stage) => {
          const { peer, id } = await begun(stage);
          peer.events(id, 0);
          peer.send({ op: 'dropped', id, from: 1, to: 5, reason: 'slow' });
          await stage.expect([0]);
          const { from, to } = await stage.take('dropped');
          assert.deepEqual([from, to], [1, 5]);
          peer.socket.terminate();
          await resumed(stage, 5);
        }),
    },
    {
      name: 'ignores what it does not know',
      run: () =>
        withClient(async (stage) => {
          const { peer, id } = await begun(stage);
          peer.send({ op: 'of-tomorrow', id } as { readonly op: string });
          peer.send({ op: 'events', id: 4_000_000_000, events: [event(7)] });
          peer.socket.send(new Uint8Array([9, 9, 9]));
          const unknownKind = frameOf({ id, offset: 0 });
          unknownKind[1] = 77;
          peer.socket.send(unknownKind);
          peer.send({ op: 'events', id, events: [{ ...event(0), more: 1 }], more: [] } as { readonly op: string });
          await stage.expect([0]);
        }),
    },
    {
      name: 'reads pictures, also behind a longer header',
      run: () =>
        withClient(
          async (stage) => {
            const { peer, id } = await begun(stage);
            peer.frame({ id, offset: 0, bytes: new Uint8Array([1, 2, 3]) });
            const plain = frameOf({ id, offset: 1, bytes: new Uint8Array([4, 5]) });
            const longer = new Uint8Array(plain.length + 8);
            longer.set(plain.subarray(0, 72));
            longer.set(plain.subarray(72), 80);
            new DataView(longer.buffer).setUint32(4, 80, true);
            peer.socket.send(longer);
            for (const [offset, bytes] of [
              [0, [1, 2, 3]],
              [1, [4, 5]],
            ] as const) {
              const image = await stage.take('image');
              assert.deepEqual([image.offset, image.sha256, [...image.bytes]], [offset, 'ab'.repeat(32), bytes]);
            }
            peer.socket.terminate();
            await resumed(stage, 2);
          },
          { channel: 'images' },
        ),
    },
    {
      name: 'comes back when it was sent away for a while',
      run: () =>
        withClient(async (stage) => {
          const { peer: first } = await begun(stage);
          let peer = first;
          const { goingAway, handshakeTimeout, tooSlow, rateExceeded } = CloseCode;
          for (const code of [goingAway, handshakeTimeout, tooSlow, rateExceeded, 1011]) {
            peer.socket.close(code);
            const next = await resumed(stage, 0);
            next.peer.subscribed(next.wish, { offset: 0 });
            peer = next.peer;
          }
        }),
    },
    {
      name: 'stays away when it was refused for good, and says so',
      async run() {
        const { badMessage, unauthorized, notSupported } = CloseCode;
        for (const code of [badMessage, unauthorized, notSupported]) {
          await withClient(async ({ server, take }) => {
            const peer = await server.peer();
            await peer.next('hello');
            peer.socket.close(code, 'no');
            await assert.rejects(take('start'), (error) => !(error instanceof assert.AssertionError), `after ${code}`);
            await sleep(quietMs);
            assert.equal(server.connections, 1, `after ${code} it comes back`);
          });
        }
      },
    },
    {
      name: 'matches answers with requests by their ids',
      run: () =>
        withClient(async (stage) => {
          const { peer } = await begun(stage);
          const pending = ['a', 'b'].map((prompt) => requested(stage.client, { prompt }, {}));
          const failing = requested(stage.client, { prompt: 'c' }, {});
          const asked = [await peer.next('request'), await peer.next('request'), await peer.next('request')];
          assert.equal(new Set(asked.map(({ id }) => id)).size, 3, 'two requests have one id');
          peer.send({ op: 'progress', id: asked[1]?.id ?? 0, phase: 'running' });
          for (const { id, params } of [...asked].reverse()) {
            const { prompt } = params as { readonly prompt: string }; // as asked above
            if (prompt === 'c')
              peer.send({ op: 'error', id, error: { code: 'GVU_SERVER_OVERLOADED', message: 'No.' } });
            else peer.send({ op: 'result', id, result: { of: prompt } });
          }
          await assertCode(failing, 'GVU_SERVER_OVERLOADED', patienceMs);
          const results = await within(Promise.all(pending), patienceMs, 'the results');
          assert.deepEqual(results, [{ of: 'a' }, { of: 'b' }]);
        }),
    },
    {
      name: 'hands on the pictures of a request',
      run: () =>
        withClient(async (stage) => {
          const { peer, id: subscription } = await begun(stage);
          const seen: string[] = [];
          const pending = stage.client.request(
            'generate',
            { prompt: 'a' },
            { onImage: (name) => void seen.push(name) },
          );
          const { id } = await peer.next('request');
          peer.frame({ id, kind: 'result', index: 0, sha256: '01'.repeat(32) });
          peer.frame({ id, kind: 'result', index: 1, sha256: '02'.repeat(32) });
          if (subscription !== id) peer.frame({ id: subscription, kind: 'result', sha256: '03'.repeat(32) });
          peer.send({ op: 'result', id, result: {} });
          await within(pending, patienceMs, 'the result');
          assert.deepEqual(seen, ['01'.repeat(32), '02'.repeat(32)]);
        }),
    },
    {
      name: 'fails a request whose connection is lost, and cancels one that is given up',
      run: () =>
        withClient(async (stage) => {
          const { peer } = await begun(stage);
          const lost = requested(stage.client, { prompt: 'a' }, {});
          await peer.next('request');
          peer.socket.terminate();
          await assert.rejects(within(lost, patienceMs, 'the failure of a request'), notLate, 'the lost request');
          const next = await resumed(stage, 0);
          next.peer.subscribed(next.wish, { offset: 0 });
          const abort = new AbortController();
          const givenUp = requested(stage.client, { prompt: 'b' }, { signal: abort.signal });
          const { id } = await next.peer.next('request');
          abort.abort();
          assert.equal((await next.peer.next('cancel')).id, id);
          next.peer.send({ op: 'error', id, error: { code: 'GVU_SERVER_CANCELLED', message: 'It was cancelled.' } });
          await assert.rejects(within(givenUp, patienceMs, 'the failure of a request'), notLate, 'the cancelled one');
        }),
    },
    {
      name: 'answers pings',
      run: () =>
        withClient(async (stage) => {
          const { peer } = await begun(stage);
          const pong = new Promise<void>((resolve) => peer.socket.once('pong', () => resolve()));
          peer.socket.ping();
          await within(pong, patienceMs, 'a pong of the client');
        }),
    },
  ];
}

/** Asks for a drawing. When a check fails earlier, nobody waits for it any more. */
function requested(
  client: ClientUnderTest,
  params: { readonly prompt: string },
  options: Parameters<ClientUnderTest['request']>[2],
): Promise<unknown> {
  const answer = client.request('generate', params, options);
  answer.catch(() => undefined);
  return answer;
}

/** A pong came back: everything before it has reached the client. */
async function flushed(peer: Peer): Promise<void> {
  const pong = new Promise<void>((resolve) => peer.socket.once('pong', () => resolve()));
  peer.socket.ping();
  await Promise.race([pong, peer.closed]);
}

const pick = ({ epoch, offset, recovered }: Extract<FollowItem, { readonly kind: 'start' }>) => ({
  ...{ epoch, offset, recovered },
});

const notLate = (error: unknown): boolean => !(error instanceof assert.AssertionError);

async function assertCode(promise: Promise<unknown>, code: string, patienceMs: number): Promise<void> {
  const settled = within(promise, patienceMs, `the failure ${code}`);
  await assertCoded(() => settled, code, 'a request');
}
