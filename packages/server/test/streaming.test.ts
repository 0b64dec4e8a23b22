/** Runs over real connections: live and finished, from every position, through reconnections and new logs. */
import { appendFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encode } from 'fast-png';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Client, type SubscriptionItem } from '../src/client/index.ts';
import { createServer, type RunServer } from '../src/index.ts';
import { evaluation, json, openRun, rollout, runsFolder, started, step } from './run-folder.ts';

function clientOf(server: Pick<RunServer, 'url'>): Client {
  return new Client({ url: server.url.replace('http', 'ws'), WebSocket, backoff: { firstMs: 20, longestMs: 100 } });
}

/** Items until there are so many; fails if they do not come. */
async function take(items: AsyncIterable<SubscriptionItem>, count: number): Promise<SubscriptionItem[]> {
  const taken: SubscriptionItem[] = [];
  for await (const item of items) {
    taken.push(item);
    if (taken.length === count) break;
  }
  return taken;
}

const offsets = (items: readonly SubscriptionItem[]) =>
  items.flatMap((item) => (item.kind === 'event' ? [item.offset] : []));

const png = (shade: number, side = 2) =>
  encode({ width: side, height: side, channels: 3, depth: 8, data: new Uint8Array(3 * side * side).fill(shade) });

test('a channel gives what was there and then what comes, with its own offsets', async () => {
  await using folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  log.append('run.started', json(started('a')));
  for (let n = 1; n <= 3; n++) {
    log.append('rollout', json(rollout(n, null)));
    log.append('step', json(step(n)));
  }
  await using server = await createServer({ runs: folder.path });
  using client = clientOf(server);
  // `images` means nothing here.
  const metrics = client.subscribe({ run: 'a', channel: 'metrics', from: 'earliest', images: 'full' });
  const iterator = metrics[Symbol.asyncIterator]();
  expect((await iterator.next()).value).toMatchObject({ kind: 'start', epoch: log.epoch, offset: 0, head: 3 });
  for (let n = 1; n <= 3; n++) {
    expect((await iterator.next()).value).toMatchObject({ offset: n - 1, seq: 2 * n + 1, type: 'step', data: step(n) });
  }
  log.append('rollout', json(rollout(4, null)));
  log.append('step', json(step(4)));
  expect((await iterator.next()).value).toMatchObject({ offset: 3, data: step(4) });
  expect(client.hello).toMatchObject({ run: 'a', epoch: log.epoch, scopes: ['read', 'infer'] });
});

test('every event arrives in its channel, with the token log-probabilities of rollouts', async () => {
  await using folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  const image = await log.putBlob(png(7), 'png');
  log.append('run.started', json(started('a')));
  log.append('rollout', json(rollout(1, image)));
  log.append('evaluation', json(evaluation(1, [image, null, image])));
  log.append('exam', { step: 1, name: 'shapes', scores: { two: { correct: 1, n: 2 } } });
  log.append('other.event', 1);
  await using server = await createServer({ runs: folder.path });
  using client = clientOf(server);
  const types = async (channel: 'rollouts' | 'images' | 'evaluations' | 'lifecycle' | 'log', count: number) =>
    (await take(client.subscribe({ run: 'a', channel, from: 'earliest' }), count + 1)).flatMap((item) =>
      item.kind === 'event' ? [`${item.offset} ${item.type}`] : [],
    );
  expect(await types('rollouts', 1)).toEqual(['0 rollout']);
  expect(await types('images', 3)).toEqual(['0 image', '1 image', '2 image']);
  expect(await types('evaluations', 2)).toEqual(['0 evaluation', '1 exam']);
  expect(await types('lifecycle', 1)).toEqual(['0 run.started']);
  expect(await types('log', 6)).toHaveLength(6);
  const [, first] = await take(client.subscribe({ run: 'a', channel: 'rollouts', from: 'earliest' }), 2);
  expect(first).toMatchObject({ data: { traces: { gvu: { logProbs: [-0.1, -0.5, -2] } }, advantage: -1.25 } });
});

test('from an offset in the middle of an event with several pictures', async () => {
  await using folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  const image = await log.putBlob(png(7), 'png');
  for (let n = 1; n <= 3; n++) log.append('evaluation', json(evaluation(n, [image, image, image])));
  await using server = await createServer({ runs: folder.path });
  using client = clientOf(server);
  for (let offset = 0; offset <= 8; offset++) {
    const from = { epoch: log.epoch, offset };
    const items = await take(client.subscribe({ run: 'a', channel: 'images', from }), 10 - offset);
    expect(offsets(items)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8].slice(offset));
  }
});

test('pictures as binary frames, whole and small, of the past and live', async () => {
  await using folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  const names = [await log.putBlob(png(1), 'png'), await log.putBlob(png(90, 300), 'png')];
  log.append('evaluation', json(evaluation(1, names)));
  await using server = await createServer({ runs: folder.path });
  using client = clientOf(server);
  const full = client.subscribe({ run: 'a', channel: 'images', from: 'earliest', images: 'full' });
  const small = client.subscribe({ run: 'a', channel: 'images', from: 'earliest', images: 'thumbnail' });
  const [, , whole] = await take(full, 3);
  expect(whole).toMatchObject({
    kind: 'image',
    offset: 1,
    frame: { index: 1, seq: 1, media: 'image/png', thumbnail: false },
  });
  if (whole?.kind !== 'image') throw new Error('no picture');
  expect(`${whole.frame.sha256}.png`).toBe(names[1]);
  expect(Buffer.from(whole.frame.bytes).equals(Buffer.from(png(90, 300)))).toBe(true);
  const iterator = small[Symbol.asyncIterator]();
  await iterator.next();
  await iterator.next();
  const { value: thumbnail } = await iterator.next();
  if (thumbnail?.kind !== 'image') throw new Error('no thumbnail');
  expect(thumbnail.frame.thumbnail).toBe(true);
  expect(Buffer.from(thumbnail.frame.bytes).readUInt32BE(16)).toBe(100); // width in IHDR: blocks of 3 pixels
  log.append('rollout', json(rollout(2, await log.putBlob(png(2), 'png'))));
  expect((await iterator.next()).value).toMatchObject({ kind: 'image', offset: 2, frame: { index: 0 } });
});

test('pictures that happen together reach every client, in order and by its own wish, also when one is lost', async () => {
  await using folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  await using server = await createServer({ runs: folder.path });
  const sizes = ['full', 'thumbnail', 'full', 'full'] as const;
  const clients = sizes.map(() => clientOf(server));
  const followers = await Promise.all(
    clients.map(async (client, i) => {
      // Ids are given in order: the last client has others than those before it.
      if (i === 3) await take(client.subscribe({ run: 'a', channel: 'log', from: 'latest' }), 1);
      const wish = { run: 'a', channel: 'images', from: 'latest', images: sizes[i] ?? 'full' } as const;
      const items = client.subscribe(wish)[Symbol.asyncIterator]();
      expect((await items.next()).value).toMatchObject({ kind: 'start' });
      return items;
    }),
  );
  const pictures = Array.from({ length: 40 }, (_, n) => png(n, 200));
  const names = await Promise.all(pictures.map((bytes) => log.putBlob(bytes, 'png')));
  await rm(join(folder.path, 'a', 'blobs', names[7] ?? ''));
  for (const [n, name] of names.entries()) log.append('rollout', json(rollout(1, name, n)));
  for (const [i, items] of followers.entries()) {
    for (const [offset, name] of names.entries()) {
      const { value } = await items.next();
      expect(value).toMatchObject({ kind: offset === 7 ? 'event' : 'image', offset });
      if (value?.kind !== 'image') continue;
      const { thumbnail, sha256, seq, bytes } = value.frame;
      expect({ thumbnail, name: `${sha256}.png`, seq }).toEqual({ thumbnail: i === 1, name, seq: offset + 1 });
      expect(Buffer.from(bytes).equals(Buffer.from(pictures[offset] ?? []))).toBe(i !== 1);
    }
  }
  for (const client of clients) client[Symbol.dispose]();
});

test('an event that cannot be sent ends its subscription, and nothing else', async () => {
  await using folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  await using server = await createServer({ runs: folder.path });
  using client = clientOf(server);
  using other = clientOf(server);
  const pictures = client
    .subscribe({ run: 'a', channel: 'images', from: 'latest', images: 'full' })
    [Symbol.asyncIterator]();
  const events = other.subscribe({ run: 'a', channel: 'log', from: 'latest' })[Symbol.asyncIterator]();
  await Promise.all([pictures.next(), events.next()]);
  const image = await log.putBlob(png(1), 'png');
  const line = { seq: log.nextSeq, time: 'yesterday', type: 'rollout', data: json(rollout(1, image)) };
  await appendFile(join(folder.path, 'a', 'events.jsonl'), `${JSON.stringify(line)}\n`);
  expect((await events.next()).value).toMatchObject({ kind: 'event', type: 'rollout' });
  await expect(pictures.next()).rejects.toMatchObject({ code: 'GVU_SERVER_INTERNAL' });
});

test('a position of another epoch, or beyond the end, begins with the earliest event and says so', async () => {
  await using folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  log.append('step', json(step(1)));
  await using server = await createServer({ runs: folder.path });
  using client = clientOf(server);
  for (const from of [
    { epoch: 'other', offset: 1 },
    { epoch: log.epoch, offset: 2 },
  ]) {
    const [first] = await take(client.subscribe({ run: 'a', channel: 'metrics', from }), 1);
    expect(first).toMatchObject({ kind: 'start', recovered: false, offset: 0, epoch: log.epoch });
  }
  const [first] = await take(
    client.subscribe({ run: 'a', channel: 'metrics', from: { epoch: log.epoch, offset: 1 } }),
    1,
  );
  expect(first).toMatchObject({ recovered: true, offset: 1 });
});

test('a server that is killed and started again in mid-run loses nothing', async () => {
  await using folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  let server = await createServer({ runs: folder.path });
  const { port } = server;
  using client = clientOf(server);
  const items = client.subscribe({ run: 'a', channel: 'lifecycle', from: 'earliest' })[Symbol.asyncIterator]();
  const seen: number[] = [];
  const read = async (until: number) => {
    while (seen.length < until) {
      const { value } = await items.next();
      if (value?.kind === 'event') seen.push(value.offset);
      else expect(value).toMatchObject({ kind: 'start' });
    }
  };
  for (let round = 1; round <= 4; round++) {
    for (let i = 0; i < 50; i++) log.append('checkpoint', { step: i, path: 'x' });
    await read(50 * round - 20);
    await server[Symbol.asyncDispose]();
    for (let i = 0; i < 50; i++) log.append('checkpoint', { step: i, path: 'x' });
    server = await createServer({ runs: folder.path, port });
    for (let i = 0; i < 50; i++) log.append('checkpoint', { step: i, path: 'x' });
    await read(150 * round);
  }
  await server[Symbol.asyncDispose]();
  expect(seen).toEqual(Array.from({ length: 600 }, (_, i) => i));
});

test('a log that is replaced begins a new epoch', async () => {
  await using folder = await runsFolder();
  {
    await using log = await openRun(folder.path, 'a');
    log.append('step', json(step(1)));
    log.append('step', json(step(2)));
  }
  await using server = await createServer({ runs: folder.path });
  using client = clientOf(server);
  const items = client.subscribe({ run: 'a', channel: 'metrics', from: 'earliest' })[Symbol.asyncIterator]();
  for (let i = 0; i < 3; i++) await items.next();
  await rm(join(folder.path, 'a'), { recursive: true });
  await sleep(50);
  await using log = await openRun(folder.path, 'a');
  log.append('step', json(step(7)));
  expect((await items.next()).value).toMatchObject({ kind: 'start', recovered: false, epoch: log.epoch });
  expect((await items.next()).value).toMatchObject({ kind: 'event', offset: 0, data: { step: 7 } });
});

test('decimation and rate leave events out, and lossless channels refuse both', async () => {
  await using folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  for (let n = 1; n <= 20; n++) log.append('step', json(step(n)));
  await using server = await createServer({ runs: folder.path });
  using client = clientOf(server);
  const thinned = await take(client.subscribe({ run: 'a', channel: 'metrics', from: 'earliest', every: 6 }), 5);
  expect(offsets(thinned)).toEqual([0, 6, 12, 18]);

  const rated = client.subscribe({ run: 'a', channel: 'metrics', from: 'latest', maxRate: 10 })[Symbol.asyncIterator]();
  await rated.next();
  const begin = performance.now();
  let delivered = 0;
  let next = 20;
  for (let n = 21; n <= 60; n++) {
    log.append('step', json(step(n)));
    await sleep(10);
  }
  while (next < 60) {
    const { value } = await rated.next();
    if (value?.kind === 'dropped') {
      expect(value).toMatchObject({ from: next, reason: 'rate' });
      next = value.to;
    } else if (value?.kind === 'event') {
      expect(value.offset).toBe(next++);
      delivered++;
    }
  }
  expect(delivered).toBeGreaterThan(1);
  expect(delivered).toBeLessThanOrEqual((performance.now() - begin) / 100 + 1);

  const refused = take(client.subscribe({ run: 'a', channel: 'log', from: 'latest', every: 2 }), 1);
  await expect(refused).rejects.toMatchObject({ code: 'GVU_SERVER_SUBSCRIPTION' });
});

test('names of runs that lead elsewhere, or nowhere, are refused', async () => {
  await using folder = await runsFolder();
  await using _log = await openRun(folder.path, 'a');
  await using server = await createServer({ runs: join(folder.path, 'a') });
  using client = clientOf(server);
  for (const run of ['..', '../a', '.', '%2e%2e', 'a/../a', '/etc', 'b', '\0', '__proto__', 'constructor']) {
    const refused = take(client.subscribe({ run, channel: 'log', from: 'latest' }), 1);
    await expect(refused).rejects.toMatchObject({ code: 'GVU_SERVER_RUN_UNKNOWN' });
  }
});

test('the server tells of itself and of runs that come and end', async () => {
  await using folder = await runsFolder();
  await using server = await createServer({ runs: folder.path });
  using client = clientOf(server);
  const items = client.subscribe({ channel: 'server', from: 'latest' })[Symbol.asyncIterator]();
  await items.next();
  await using log = await openRun(folder.path, 'a');
  const next = async (type: string) => {
    for (;;) {
      const { value } = await items.next();
      if (value?.kind === 'event' && value.type === type) return value;
    }
  };
  expect(await next('server.runs')).toMatchObject({ data: { runs: [{ run: 'a', state: 'open' }] } });
  log.append('run.ended', { step: 1, reason: 'finished', message: '', seconds: 1 });
  expect(await next('server.runs')).toMatchObject({ data: { runs: [{ state: 'ended', reason: 'finished' }] } });
  log.append('run.resumed', { step: 0 });
  expect(await next('server.runs')).toMatchObject({ data: { runs: [{ run: 'a', state: 'open' }] } });
  expect(await next('server.stats')).toMatchObject({ data: { connections: 1, subscriptions: 1 } });
});
