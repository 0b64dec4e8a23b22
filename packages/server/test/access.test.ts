/** Who gets in, and what they may do. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createServer, type ServerLogEntry, type ServerOptions } from '../src/index.ts';
import { RawClient } from './raw-client.ts';
import { json, openRun, runsFolder, step } from './run-folder.ts';

const reader = 'reader-token-0123456789';
const boss = 'control-token-0123456789';
const tokens: ServerOptions['tokens'] = [
  { token: reader, scopes: ['read'] },
  { token: boss, scopes: ['read', 'control'] },
];
const hello = { op: 'hello', client: { name: 'test', version: '1' } };

async function started(options: Partial<ServerOptions> = {}) {
  const folder = await runsFolder();
  const logged: ServerLogEntry[] = [];
  const server = await createServer({ runs: folder.path, log: (entry) => logged.push(entry), ...options });
  return {
    folder,
    server,
    logged,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test('no common subprotocol: closed with 4406, whether others were offered or none', async () => {
  await using set = await started();
  for (const protocols of [['gvu.v9', 'chat'], []]) {
    using client = await RawClient.connect(set.server, { protocols });
    expect(await client.closed).toEqual({ code: 4406, reason: 'this server speaks gvu.v1 only' });
  }
  using client = await RawClient.connect(set.server, { protocols: ['chat', 'gvu.v1'] });
  expect(client.socket.protocol).toBe('gvu.v1');
});

test('tokens: by message or subprotocol; a wrong one and none are refused and logged', async () => {
  await using set = await started({ tokens, anonymous: [] });
  const scopesOf = async (message: object, protocols?: string[]) => {
    using client = await RawClient.connect(set.server, protocols ? { protocols } : {});
    client.send({ ...hello, ...message });
    return await Promise.race([client.next('hello').then(({ scopes }) => scopes), client.closed]);
  };
  const offered = ['gvu.v1', `gvu.token.${Buffer.from(boss).toString('base64url')}`];
  expect(await scopesOf({ token: reader })).toEqual(['read']);
  expect(await scopesOf({}, offered)).toEqual(['read', 'control']);
  const refused = { code: 4401, reason: 'the token is not known' };
  expect(await scopesOf({ token: `${reader}x` })).toEqual(refused);
  expect(await scopesOf({ token: '' })).toEqual(refused);
  expect(await scopesOf({})).toEqual({ code: 4401, reason: 'a token is needed' });
  expect(set.logged).toHaveLength(3);
  expect(set.logged[0]).toMatchObject({ event: 'closed', code: 4401, address: '127.0.0.1' });
  expect(JSON.stringify(set.logged)).not.toContain(reader);
});

test('a foreign web page is refused before anything is said, and logged', async () => {
  await using set = await started({ origins: ['https://lab.example'] });
  const { port } = set.server;
  const accepted = async (headers: Record<string, string>) => {
    using client = await RawClient.connect(set.server, { headers });
    return client.socket.readyState === client.socket.OPEN;
  };
  expect(await accepted({ origin: 'https://lab.example' })).toBe(true);
  expect(await accepted({ origin: `http://127.0.0.1:${port}` })).toBe(true);
  for (const origin of ['https://evil.example', 'null', 'https://lab.example.evil', `http://localhost:${port}`]) {
    expect(await accepted({ origin })).toBe(false);
  }
  // A page whose own name was made to point here.
  expect(await accepted({ origin: `http://evil.example:${port}`, host: `evil.example:${port}` })).toBe(false);
  expect(set.logged.map(({ event }) => event)).toEqual(Array(5).fill('refused'));
});

test('scopes: reading, the model and control are apart', async () => {
  const calls: string[] = [];
  const control = {
    steered: () => new Map([['a', 'paused'] as const]),
    start: async () => 'new',
    pause: async (run: string) => void calls.push(`pause ${run}`),
    resume: async () => undefined,
    checkpoint: async () => 7,
    stop: async () => undefined,
  };
  await using set = await started({ tokens, control });
  const ask = async (token: string | undefined, method: string, params: object) => {
    using client = await RawClient.greet(set.server, token);
    client.send({ op: 'request', id: 1, method, params });
    const answer = await client.next('result', 'error');
    return answer.op === 'result' ? answer.result : answer.error.code;
  };
  expect(await ask(boss, 'run.pause', { run: 'a' })).toEqual({ run: 'a' });
  expect(await ask(boss, 'run.checkpoint', { run: 'a' })).toEqual({ run: 'a', step: 7 });
  expect(await ask(boss, 'run.start', { config: {} })).toEqual({ run: 'new' });
  for (const token of [reader, undefined]) {
    expect(await ask(token, 'run.pause', { run: 'a' })).toBe('GVU_SERVER_SCOPE');
  }
  expect(calls).toEqual(['pause a']);
  await using log = await openRun(set.folder.path, 'a');
  await log.flush();
  expect(await ask(boss, 'runs', {})).toMatchObject({ runs: [{ run: 'a', state: 'open', steered: 'paused' }] });
  expect(await ask(boss, 'generate', { prompt: 'x' })).toBe('GVU_SERVER_METHOD');
  expect(await ask(boss, 'toString', {})).toBe('GVU_SERVER_METHOD');
  expect(await ask(boss, 'run.pause', {})).toBe('GVU_SERVER_MESSAGE');
});

test('a client that lacks a capability is told before anything else', async () => {
  await using set = await started();
  using client = await RawClient.connect(set.server);
  client.send({ ...hello, requires: ['runs', 'generate'] });
  expect(await client.closed).toEqual({ code: 4406, reason: 'no capability generate' });
});

test('no hello in time', async () => {
  await using set = await started({ limits: { handshakeMs: 30 } });
  using client = await RawClient.connect(set.server);
  expect(await client.closed).toEqual({ code: 4408, reason: 'no hello within 30 ms' });
});

test('beyond the number of connections', async () => {
  await using set = await started({ limits: { connections: 2 } });
  using _one = await RawClient.greet(set.server);
  using _two = await RawClient.greet(set.server);
  using three = await RawClient.connect(set.server);
  expect((await three.closed).code).toBe(1006);
});

test('a silent client that answers pings stays; one that does not is dropped', async () => {
  await using set = await started({ limits: { idleMs: 500 } });
  using alive = await RawClient.greet(set.server);
  const dead = await RawClient.connect(set.server);
  dead.send(hello);
  await dead.next('hello');
  dead.socket.pong = () => undefined;
  expect((await dead.closed).code).toBe(1006);
  alive.send({ op: 'ping' });
  expect(await alive.next('pong')).toMatchObject({ op: 'pong' });
});

test('unsafe options are refused with every problem', async () => {
  const refusal = createServer({ runs: 'x', host: '0.0.0.0', port: -1, tokens: [], limits: { idleMs: Number.NaN } });
  await expect(refusal).rejects.toMatchObject({ code: 'GVU_SERVER_OPTIONS', details: { problems: { length: 3 } } });
  const weak = createServer({
    runs: 'x',
    host: '0.0.0.0',
    tokens: [{ token: 'short', scopes: ['read'] }],
    anonymous: ['control'],
  });
  await expect(weak).rejects.toMatchObject({ details: { problems: { length: 2 } } });
  const noCertificate = createServer({ runs: 'x', tls: { cert: 'cert', key: 'key' } });
  await expect(noCertificate).rejects.toMatchObject({ code: 'GVU_SERVER_OPTIONS' });
});

test('a port that is taken', async () => {
  await using set = await started();
  await expect(createServer({ runs: 'x', port: set.server.port })).rejects.toMatchObject({ code: 'GVU_SERVER_LISTEN' });
});

test('pictures by HTTP: with a token, by exact names only, for ever the same', async () => {
  await using set = await started({
    tokens,
    anonymous: [],
    pages: ({ path }) => (path === '/' ? { contentType: 'text/html', body: '<p>hi' } : undefined),
  });
  await using log = await openRun(set.folder.path, 'a');
  log.append('step', json(step(1)));
  const name = await log.putBlob(Buffer.from('abc'), 'png');
  // `fetch` would tidy the path up before sending it.
  const get = async (path: string, token?: string, more: { method?: string; host?: string } = {}) =>
    await new Promise<{ status: number | undefined; body: string; headers: object }>((resolve, reject) => {
      const headers = { ...(token && { authorization: `Bearer ${token}` }), ...(more.host && { host: more.host }) };
      request({ host: '127.0.0.1', port: set.server.port, path, headers, method: more.method ?? 'GET' }, (response) => {
        let body = '';
        response.on('data', (data) => {
          body += data;
        });
        response.on('end', () => resolve({ status: response.statusCode, body, headers: response.headers }));
      })
        .on('error', reject)
        .end();
    });
  expect(await get(`/blobs/a/${name}`, reader)).toMatchObject({
    status: 200,
    body: 'abc',
    headers: { 'content-type': 'image/png', 'x-content-type-options': 'nosniff' },
  });
  expect(await get(`/blobs/a/${name}`, reader, { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
  expect((await get(`/blobs/a/${name}`)).status).toBe(401);
  expect((await get(`/blobs/a/${name}?token=${reader}`)).status).toBe(401);
  expect((await get(`/blobs/a/${name}`, 'wrong-token-0123456789')).status).toBe(401);
  for (const path of [
    '/blobs/a/../events.jsonl',
    '/blobs/a/..%2fevents.jsonl',
    '/blobs/../a/blobs/x.png',
    '/blobs/..%2f..%2fetc/passwd',
    `/blobs/a%00/${name}`,
    `/blobs/b/${name}`,
    '/blobs/a/events.jsonl',
    '//etc/passwd',
    '/a/events.jsonl',
  ]) {
    expect(await get(path, reader)).toMatchObject({ status: 404 });
  }
  expect(await get('/')).toMatchObject({ status: 200, body: '<p>hi' });
  expect((await get('/', undefined, { method: 'POST' })).status).toBe(405);
  expect((await get('/', undefined, { host: 'evil.example' })).status).toBe(403);
  // Whoever was turned away, and nobody else.
  const reasons = set.logged.map((entry) => (entry.event === 'refused' ? entry.reason : entry.event));
  expect(reasons).toEqual([
    'a token is needed',
    'a token is needed',
    'the token is not known, or not for reading',
    'host evil.example',
  ]);
});

const openssl = spawnSync('openssl', ['version']).status === 0;
test.skipIf(!openssl)('with a certificate it speaks TLS', async () => {
  await using folder = await runsFolder();
  const [key, cert] = [join(folder.path, 'key.pem'), join(folder.path, 'cert.pem')];
  const made = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=localhost',
    '-keyout',
    key,
    '-out',
    cert,
  ];
  expect(spawnSync('openssl', made).status).toBe(0);
  await using set = await started({ tls: { key: readFileSync(key), cert: readFileSync(cert) } });
  const ca = readFileSync(cert);
  const url = set.server.url.replace('127.0.0.1', 'localhost');
  expect(url).toMatch(/^https:/);
  using client = await RawClient.connect({ url }, { ca, headers: { origin: url } });
  client.send(hello);
  expect(await client.next('hello')).toMatchObject({ protocol: 'gvu.v1' });
  using foreign = await RawClient.connect({ url }, { ca, headers: { origin: url.replace('https', 'http') } });
  expect((await foreign.closed).code).toBe(1006);
});
