/** The model over the protocol: the real backend of shapes, of a few thousand random weights, and one that can be held up. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { randomStream } from '@gvu/core';
import type { Backend, Pixels } from '@gvu/models';
import { Runtime } from '@gvu/onnx';
import { decode, encode } from 'fast-png';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Client, type ImageFrame } from '../src/client/index.ts';
import { createServer, type ModelService, type RunServer, serveBackend } from '../src/index.ts';
import { RawClient } from './raw-client.ts';
import { json, openRun, rollout, runsFolder } from './run-folder.ts';

/** The server is below the plugins and must not import one; its tests need a real one. */
async function shapesBackend(runtime: Runtime, folder: string): Promise<Backend> {
  const load = async (path: string) =>
    await import(pathToFileURL(join(import.meta.dirname, '../../../plugins/backend-shapes', path)).href);
  const { tinyConfig, tinyValues } = await load('test/tiny-model.ts');
  const { writeModel } = await load('src/model/weights.ts');
  const { createShapesBackend } = await load('src/backend/backend.ts');
  await writeModel(folder, tinyConfig, tinyValues());
  return await createShapesBackend({ model: folder }, { runtime });
}

let model: string;
let runtime: Runtime;
let backend: Backend;
let folder: Awaited<ReturnType<typeof runsFolder>>;
let server: RunServer;
beforeAll(async () => {
  model = await mkdtemp(join(tmpdir(), 'gvu-server-model-'));
  runtime = await Runtime.create({ threads: 1, cacheLimit: 32 });
  backend = await shapesBackend(runtime, model);
  folder = await runsFolder();
  server = await createServer({ runs: folder.path, models: serveBackend(backend) });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
  await runtime.dispose();
  await rm(model, { recursive: true });
});

const clientOf = ({ url }: Pick<RunServer, 'url'>) => new Client({ url: url.replace('http', 'ws'), WebSocket });
const rgb = (bytes: Uint8Array): Pixels => {
  const { width, height, data } = decode(bytes);
  return { width, height, data: Uint8Array.from(data) };
};

test('generate: the pictures of the model, by seed, before the result', async () => {
  using client = clientOf(server);
  const frames: ImageFrame[] = [];
  const phases: string[] = [];
  const { drawings } = await client.request(
    'generate',
    { prompt: 'a red circle', count: 3, seed: 5 },
    { onImage: (frame) => frames.push(frame), onProgress: (phase) => phases.push(phase) },
  );
  expect(frames.map(({ kind, index, sha256 }) => ({ kind, index, image: `${sha256}.png` }))).toEqual(
    drawings.map(({ image }, index) => ({ kind: 'result', index, image })),
  );
  expect(phases).toEqual(['queued', 'running']);

  const stream = randomStream(5, 'server/generate');
  const requests = [0, 1, 2].map((i) => ({ prompt: 'a red circle', randomness: stream.at(i) }));
  const drawn = await backend.draw(requests);
  const pictures = await backend.decode(drawn.map(({ tokens }, i) => ({ tokens, ...requestAt(requests, i) })));
  expect(frames.map(({ bytes }) => rgb(bytes))).toEqual(
    pictures.map(({ width, height, data }) => ({ width, height, data })),
  );
  for (const [i, { logProb }] of drawings.entries()) {
    const logProbs = [...(drawn[i]?.logProbs ?? [])];
    expect(logProb).toBeCloseTo(logProbs.reduce((a, b) => a + b, 0) / logProbs.length, 4);
  }
});

function requestAt<T>(list: readonly T[], i: number): T {
  const item = list[i];
  if (item === undefined) throw new Error(`There is no ${i}.`);
  return item;
}

test('score and describe: a picture of a run by name, or any PNG', async () => {
  await using log = await openRun(folder.path, 'a');
  const { width, height } = backend.image;
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 7) % 256);
  const png = encode({ width, height, data, channels: 3, depth: 8 });
  const name = await log.putBlob(png, 'png');
  log.append('rollout', json(rollout(1, name)));
  using client = clientOf(server);
  const text = 'a photo of a red circle';
  const stored = await client.request('score', { image: { run: 'a', name }, text });
  const sent = await client.request('score', { image: { png: Buffer.from(png).toString('base64') }, text });
  const [trace] = await backend.read([{ image: { pixels: { width, height, data } }, text }]);
  expect(stored.tokens).toEqual(trace?.tokens);
  for (const [i, logProb] of stored.logProbs.entries()) {
    expect(logProb).toBeCloseTo(trace?.logProbs[i] ?? Number.NaN, 4);
    expect(sent.logProbs[i]).toBeCloseTo(logProb, 5);
  }
  expect(Math.log(stored.value)).toBeCloseTo(stored.logProbs.reduce((a, b) => a + b, 0) / stored.logProbs.length, 6);
  const [answer] = await backend.answer([{ image: { pixels: { width, height, data } } }]);
  expect(await client.request('describe', { image: { run: 'a', name } })).toEqual({ text: answer });
});

test('the error of one request is its own', async () => {
  using client = clientOf(server);
  const small = Buffer.from(encode({ width: 1, height: 1, data: new Uint8Array(3), channels: 3, depth: 8 }));
  const bomb = Buffer.from(small);
  bomb.writeUInt32BE(30_000, 16);
  const outcomes = await Promise.allSettled([
    client.request('generate', { prompt: 'a red circle' }),
    client.request('generate', { prompt: 'entirely unheard-of zzz' }),
    client.request('score', { image: { png: 'AAAA' }, text: 'a red circle' }),
    client.request('score', { image: { png: bomb.toString('base64') }, text: 'a red circle' }),
    client.request('score', { image: { png: small.toString('base64') }, text: 'a red circle' }),
    client.request('score', { image: { run: '../a', name: `${'0'.repeat(64)}.png` }, text: 'x' }),
    client.request('describe', { image: { run: 'a', name: `${'0'.repeat(64)}.png` } }),
    client.request('generate', { prompt: 'a red circle', count: 65 }),
    client.request('run.stop', { run: 'a' }),
  ]);
  expect(outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : outcome.status))).toEqual([
    'fulfilled',
    'GVU_MODEL_TEXT',
    'GVU_SERVER_IMAGE',
    'GVU_SERVER_IMAGE',
    'GVU_MODEL_IMAGE',
    'GVU_SERVER_RUN_UNKNOWN',
    'GVU_SERVER_IMAGE',
    'GVU_SERVER_MESSAGE',
    'GVU_SERVER_METHOD',
  ]);
  const paths = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.message : ''));
  expect(paths.join()).not.toContain(folder.path);
});

/** A model that answers when told to. */
function heldModel() {
  const signals: AbortSignal[] = [];
  let release: () => void = () => undefined;
  const models: ModelService = {
    generate: async () => [],
    describe: async (_, { signal }) => {
      signals.push(signal);
      await Promise.race([new Promise<void>((resolve) => (release = resolve)), sleep(5000, undefined, { signal })]);
      return 'done';
    },
    score: async () => ({ tokens: [], logProbs: [] }),
  };
  return { models, signals, release: () => release() };
}
const png = Buffer.from(encode({ width: 1, height: 1, data: new Uint8Array(3), channels: 3, depth: 8 })).toString(
  'base64',
);

test('cancelling, deadlines and leaving reach the model; ids and their number are held to', async () => {
  const held = heldModel();
  await using slow = await createServer({ runs: folder.path, models: held.models, limits: { requests: 2 } });
  using client = await RawClient.greet(slow);
  const describe = { op: 'request', method: 'describe', params: { image: { png } } };
  const failed = async (id: number) => {
    const { error, id: of } = await client.next('error');
    expect(of).toBe(id);
    return error.code;
  };
  client.send({ ...describe, id: 1 });
  client.send({ ...describe, id: 1 });
  expect(await failed(1)).toBe('GVU_SERVER_REQUEST_ID');
  client.send({ op: 'cancel', id: 1 });
  expect(await failed(1)).toBe('GVU_SERVER_CANCELLED');
  expect(held.signals[0]?.aborted).toBe(true);

  client.send({ ...describe, id: 2, deadlineMs: 30 });
  expect(await failed(2)).toBe('GVU_SERVER_DEADLINE');
  expect(held.signals[1]?.aborted).toBe(true);
  client.send({ op: 'cancel', id: 2 }); // too late: nothing is said

  client.send({ ...describe, id: 3 });
  client.send({ ...describe, id: 4 });
  client.send({ ...describe, id: 5 });
  expect(await failed(5)).toBe('GVU_SERVER_REQUEST_ID');
  client.socket.terminate();
  await expect.poll(() => held.signals.slice(2).map(({ aborted }) => aborted)).toEqual([true, true]);
});

test('the client: cancelling, and what happens to requests when the connection is lost', async () => {
  const held = heldModel();
  await using slow = await createServer({ runs: folder.path, models: held.models });
  using client = clientOf(slow);
  const abort = new AbortController();
  const cancelled = client.request('describe', { image: { png } }, { signal: abort.signal });
  await expect.poll(() => held.signals.length).toBe(1);
  abort.abort();
  await expect(cancelled).rejects.toMatchObject({ code: 'GVU_SERVER_CANCELLED' });
  const lost = client.request('describe', { image: { png } });
  await expect.poll(() => held.signals.length).toBe(2);
  const rejected = expect(lost).rejects.toMatchObject({ code: 'GVU_CLIENT_CLOSED' });
  await slow[Symbol.asyncDispose]();
  await rejected;
});

test('a client that is refused for good says so to everybody', async () => {
  await using closed = await createServer({ runs: folder.path, anonymous: [] });
  using client = clientOf(closed);
  const refused = { code: 'GVU_CLIENT_REFUSED', details: { closeCode: 4401 } };
  await expect(client.request('runs', {})).rejects.toMatchObject(refused);
  const items = client.subscribe({ run: 'a', channel: 'log', from: 'earliest' })[Symbol.asyncIterator]();
  await expect(items.next()).rejects.toMatchObject(refused);
});
