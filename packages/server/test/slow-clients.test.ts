/** Clients that do not read: what each class of channel does with them, and that nobody else notices. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventLog } from '@gvu/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Client, type SubscriptionItem } from '../src/client/index.ts';
import { createServer, type RunServer, type ServerLogEntry } from '../src/index.ts';
import { decodeFrame } from '../src/protocol/frame.ts';
import { RawClient } from './raw-client.ts';
import { json, openRun, rollout, runsFolder, step } from './run-folder.ts';

/** Fills the buffers of the operating system as well: some 20 MB in 16 KB events. */
const filler = 'x'.repeat(16_000);
const fillerCount = 1300;

/** A client that follows the log and reads nothing any more, and one that reads all until `last.one`, which the events end with. */
async function stalledBesideAnother(server: RunServer, log: EventLog) {
  const stalled = await RawClient.greet(server);
  stalled.send({ op: 'subscribe', id: 1, run: 'a', channel: 'log', from: 'latest' });
  const { epoch, head } = await stalled.next('subscribed');
  stalled.socket.pause();
  using other = new Client({ url: server.url.replace('http', 'ws'), WebSocket });
  const items = other.subscribe({ run: 'a', channel: 'log', from: 'latest' })[Symbol.asyncIterator]();
  await items.next();
  for (let i = 0; i < fillerCount; i++) {
    log.append('filler', filler);
    if (i % 100 === 99) await sleep(5);
  }
  log.append('last.one', 1);
  for (let value: SubscriptionItem | undefined; value?.kind !== 'event' || value.type !== 'last.one'; ) {
    value = (await items.next()).value ?? undefined;
    expect(value?.kind).not.toBe('dropped');
  }
  return { stalled, epoch, head };
}

test('a stalled client keeps nobody waiting, and misses nothing when it reads again', async () => {
  await using folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  const closed: ServerLogEntry[] = [];
  await using server = await createServer({
    runs: folder.path,
    limits: { stallMs: 6e5, idleMs: 6e5 },
    log: (entry) => closed.push(entry),
  });
  const { stalled, head } = await stalledBesideAnother(server, log);
  expect(closed).toEqual([]); // it is waited for, and only by itself
  stalled.socket.resume();
  for (let next = head; next <= head + fillerCount; ) {
    for (const { offset } of (await stalled.next('events')).events) expect(offset).toBe(next++);
  }
  stalled[Symbol.dispose]();
});

test('a client that stalls for long is sent away, and resumes lossless channels where it was', async () => {
  await using folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  await using server = await createServer({ runs: folder.path, limits: { stallMs: 1500, bufferBytes: 1 << 18 } });
  const { stalled, epoch, head } = await stalledBesideAnother(server, log);
  await sleep(3500);
  stalled.socket.resume();
  let next = head;
  const over = stalled.closed.then(() => undefined);
  for (;;) {
    const message = await stalled.next('events').catch(() => over);
    if (!message) break;
    for (const { offset } of message.events) expect(offset).toBe(next++);
  }
  expect(next).toBeLessThan(head + fillerCount);
  expect([1006, 4409]).toContain((await stalled.closed).code);

  using again = new Client({ url: server.url.replace('http', 'ws'), WebSocket });
  for await (const item of again.subscribe({ run: 'a', channel: 'log', from: { epoch, offset: next } })) {
    if (item.kind !== 'event') continue;
    expect(item.offset).toBe(next++);
    if (item.type === 'last.one') break;
  }
});

test('channels that may lose events lose them, say which, and end with the newest', async () => {
  await using folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  await using server = await createServer({ runs: folder.path, limits: { bufferBytes: 1 << 16 } });
  using slow = await RawClient.greet(server);
  const subscribe = { op: 'subscribe', run: 'a', from: 'latest' };
  slow.send({ ...subscribe, id: 1, channel: 'metrics' });
  slow.send({ ...subscribe, id: 2, channel: 'rollouts' });
  slow.send({ ...subscribe, id: 3, channel: 'lifecycle' });
  for (let i = 0; i < 3; i++) await slow.next('subscribed');
  slow.socket.pause();
  using other = await RawClient.greet(server);
  other.send({ ...subscribe, id: 1, channel: 'lifecycle' });
  const total = 1000;
  for (let n = 1; n <= total; n++) {
    log.append('step', { ...step(n), padding: filler, metrics: {} });
    log.append('rollout', { ...JSON.parse(JSON.stringify(rollout(n, null))), padding: filler });
    log.append('checkpoint', { step: n, path: 'x' });
    if (n % 50 === 0) await sleep(10);
  }
  for (let seen = 0; seen < total; ) seen += (await other.next('events')).events.length;
  slow.socket.resume();
  const next = [Number.NaN, 0, 0, 0];
  const lost = [0, 0, 0, 0];
  while (next.slice(1).some((offset) => offset < total)) {
    const message = await slow.next('events', 'dropped');
    const { id } = message;
    if (message.op === 'dropped') {
      expect(message).toMatchObject({ from: next[id], reason: 'slow' });
      lost[id] = (lost[id] ?? 0) + message.to - message.from;
      next[id] = message.to;
    } else {
      for (const { offset } of message.events) {
        expect(offset).toBe(next[id]);
        next[id] = offset + 1;
      }
    }
  }
  expect(next.slice(1)).toEqual([total, total, total]);
  expect(lost[1]).toBeGreaterThan(0);
  expect(lost[2]).toBeGreaterThan(0);
  expect(lost[3]).toBe(0);
  expect(lost[1]).toBeGreaterThan(Number(lost[2])); // only the newest is kept, of rollouts as many as fit the bound
});

test('of live pictures, a client that does not read is spared the oldest, and told which', async () => {
  await using folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  await using server = await createServer({ runs: folder.path, limits: { bufferBytes: 1 << 16 } });
  using slow = await RawClient.greet(server);
  slow.send({ op: 'subscribe', id: 1, run: 'a', channel: 'images', from: 'latest', images: 'full' });
  await slow.next('subscribed');
  slow.socket.pause();
  // Not to be compressed: they fill the buffers of the operating system as well.
  const image = await log.putBlob(randomBytes(1 << 16), 'png');
  const total = 1000;
  for (let n = 0; n < total; n++) {
    log.append('rollout', json(rollout(n, image)));
    if (n % 20 === 19) await sleep(10);
  }
  await sleep(200);
  slow.socket.resume();
  const taken = () => slow.binary.map((bytes) => decodeFrame(bytes)?.offset ?? -1);
  while (taken().at(-1) !== total - 1) await sleep(20);
  slow.send({ op: 'ping' });
  const dropped: number[] = [];
  for (;;) {
    const message = await slow.next('dropped', 'pong');
    if (message.op === 'pong') break;
    expect(message).toMatchObject({ id: 1, reason: 'slow' });
    for (let offset = message.from; offset < message.to; offset++) dropped.push(offset);
  }
  expect(dropped.length).toBeGreaterThan(0);
  expect(taken()).toEqual(taken().toSorted((a, b) => a - b));
  expect([...taken(), ...dropped].sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, i) => i));
});

test('a user who iterates slowly does not fill the memory of the client, and misses nothing', async () => {
  await using folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  const total = 12_000;
  for (let n = 1; n <= total; n++) log.append('step', json(step(n)));
  await using server = await createServer({ runs: folder.path });
  using client = new Client({ url: server.url.replace('http', 'ws'), WebSocket });
  let next = 0;
  for await (const item of client.subscribe({ run: 'a', channel: 'metrics', from: 'earliest' })) {
    if (item.kind === 'start') await sleep(300); // everything could have come by now
    if (item.kind !== 'event') continue;
    expect(item.offset).toBe(next++);
    if (next === total) break;
  }
});

test('whenever connections break, what is received has no gap and nothing twice', async () => {
  await using folder = await runsFolder();
  await using server = await createServer({ runs: folder.path });
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(40), fc.nat(12), fc.boolean()), { maxLength: 8 }), async (plan) => {
      const run = `r${runs++}`;
      await using log = await openRun(folder.path, run);
      const sockets: WebSocket[] = [];
      class Watched extends WebSocket {
        constructor(url: string, protocols: string[]) {
          super(url, protocols);
          sockets.push(this);
        }
      }
      const backoff = { firstMs: 2, longestMs: 5 };
      using client = new Client({ url: server.url.replace('http', 'ws'), WebSocket: Watched, backoff });
      const channels = ['lifecycle', 'log'] as const;
      const received = channels.map(async (channel) => {
        const seen: number[] = [];
        for await (const item of client.subscribe({ run, channel, from: 'earliest' })) {
          if (item.kind === 'event') seen.push(item.offset);
          if (item.kind === 'event' && item.type === 'run.ended') break;
        }
        return seen;
      });
      for (const [events, pauseMs, breaks] of plan) {
        for (let i = 0; i < events; i++) log.append('checkpoint', { step: i, path: 'x' });
        await sleep(pauseMs);
        if (breaks) sockets.at(-1)?.terminate();
      }
      log.append('run.ended', { step: 1, reason: 'finished', message: '', seconds: 1 });
      const total = plan.reduce((sum, [events]) => sum + events, 0) + 1;
      const [lifecycle = [], all = []] = await Promise.all(received);
      expect(lifecycle).toEqual(Array.from({ length: total }, (_, i) => i));
      expect(all).toEqual(Array.from({ length: total + 1 }, (_, i) => i));
    }),
    { seed: 77, numRuns: 25 },
  );
});
