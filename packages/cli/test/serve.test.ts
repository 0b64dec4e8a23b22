/** `gvu serve` as programs use it: runs that they start and steer, and a certificate. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type SubscriptionItem } from '@gvu/server/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { gvu, nodeArguments } from './run-gvu.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-serve-'));
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

/** `gvu serve` with these options at any port; it has told its addresses. */
async function serve(...options: readonly string[]) {
  const child = spawn(process.execPath, [...nodeArguments, 'serve', '--port', '0', ...options], { cwd: folder });
  let output = '';
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        output += data;
        if (/Ctrl-C ends/.test(output)) resolve();
      });
    }
    child.once('close', () => reject(new Error(output)));
  });
  return {
    output: () => output,
    url: /^Watch: +(\S+?)(?:\/#.*)?$/m.exec(output)?.[1] ?? '',
    token: /#token=(\S+)/.exec(output)?.[1] ?? '',
    kill: async (signal: NodeJS.Signals) => {
      child.kill(signal);
      await ended;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

const patient = { timeout: 300_000 };
const config = {
  steps: 100_000,
  promptsPerStep: 1,
  groupSize: 2,
  guards: { maxKl: 1e6 },
  checkpoint: { every: 0 },
  evaluation: { every: 0 },
};

test('a run is started and steered by a program, and goes on when the server is killed', patient, async () => {
  await using server = await serve('--control', '--threads', '1');
  const connect = ({ url, token }: { url: string; token?: string }) =>
    new Client({ url: url.replace('http', 'ws'), WebSocket, ...(token !== undefined && { token }) });
  using client = connect(server);
  const start = async (changes: object) => await client.request('run.start', { config: { ...config, ...changes } });
  await expect(start({ steps: -1, groupSize: 0 })).rejects.toMatchObject({ code: 'GVU_CONFIG_INVALID' });
  await expect(start({ plugins: ['/tmp/evil'] })).rejects.toThrow(/were not given to this server/);
  await expect(start({ backend: { use: 'nothing' } })).rejects.toThrow(
    /did not start: GVU_PLUGIN_CONTRIBUTION_UNKNOWN/,
  );
  using stranger = connect({ url: server.url });
  await expect(stranger.request('run.start', { config })).rejects.toMatchObject({ code: 'GVU_SERVER_SCOPE' });

  const { run } = await start({});
  const pid = Number(/started \S+ in process (\d+)/.exec(server.output())?.[1]);
  try {
    await expect(start({})).rejects.toThrow(`The run ${run} has not ended yet.`);
    await nextStep(client, run);
    await client.request('run.pause', { run });
    expect((await client.request('runs', {})).runs).toMatchObject([{ run, state: 'open', steered: 'paused' }]);
    const { step } = await client.request('run.checkpoint', { run });
    expect(step).toBeGreaterThan(0);
    expect((await client.request('run.checkpoint', { run })).step).toBe(step);
    await expect(client.request('run.stop', { run: 'other' })).rejects.toMatchObject({ code: 'GVU_CLI_CONTROL' });

    // Nobody is left who could end the pause: it ends by itself.
    await server.kill('SIGKILL');
    await using second = await serve('--control');
    using other = connect(second);
    expect(await nextStep(other, run, step)).toBeGreaterThan(step);
    await expect(other.request('run.pause', { run })).rejects.toMatchObject({ code: 'GVU_CLI_CONTROL' });
    process.kill(pid, 'SIGINT');
    const ended = other.subscribe({ run, channel: 'lifecycle', from: 'earliest' });
    expect(await first(ended, (item) => item.kind === 'event' && item.type === 'run.ended')).toMatchObject({
      data: { reason: 'stopped' },
    });
  } finally {
    spawnSync('kill', ['-KILL', String(pid)]); // it does not end with this test
  }
});

async function first(items: AsyncIterable<SubscriptionItem>, wanted: (item: SubscriptionItem) => boolean) {
  for await (const item of items) if (wanted(item)) return item;
  throw new Error('The subscription ended.');
}

async function nextStep(client: Client, run: string, after = 0): Promise<number> {
  const of = (item: SubscriptionItem) =>
    item.kind === 'event' ? Number((item.data as { readonly step: number }).step) : 0; // the channel has steps only
  return of(await first(client.subscribe({ run, channel: 'metrics', from: 'earliest' }), (item) => of(item) > after));
}

test('half a certificate, and one that is none, are refused in words', patient, async () => {
  const half = await gvu(['serve', '--tls-cert', 'cert.pem'], { cwd: folder });
  expect(half).toMatchObject({ code: 2, stderr: expect.stringContaining('--tls-key one is missing') });
  const missing = await gvu(['serve', '--tls-cert', 'no.pem', '--tls-key', 'no.pem'], { cwd: folder });
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('GVU_CLI_FILE') });
});

const openssl = spawnSync('openssl', ['version']).status === 0;
test.skipIf(!openssl)('with a certificate everything is encrypted', patient, async () => {
  const made = spawnSync(
    'openssl',
    'req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost'.split(' '),
    { cwd: folder },
  );
  expect(made.status).toBe(0);
  await using server = await serve('--tls-cert', 'cert.pem', '--tls-key', 'key.pem');
  expect(server.url).toMatch(/^https:/);
  class Trusting extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, { rejectUnauthorized: false }); // nobody vouches for this certificate
    }
  }
  using client = new Client({ url: server.url.replace('http', 'ws'), WebSocket: Trusting });
  expect(await client.request('runs', {})).toBeDefined();
});
