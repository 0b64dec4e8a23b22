/** Against real servers on this machine, the hostile ones too. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Reward, Rollout } from '../reward.ts';
import { scoreRollouts } from '../score.ts';
import { http, httpConfig } from './http.ts';

const { signal } = new AbortController();
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Body {
  readonly items: readonly {
    prompt: string;
    metadata?: unknown;
    image: { width: number; height: number; rgb: string };
  }[];
}
type Handler = (body: Body, response: ServerResponse, request: IncomingMessage, call: number) => void;

/** A server on a free port; its address. */
async function serve(handle: Handler): Promise<string> {
  let calls = 0;
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    handle(JSON.parse(text), response, request, calls++);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // It listens on TCP.
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}/judge`;
}

const rollouts = (count: number): Rollout[] =>
  Array.from({ length: count }, (_, sample) => ({
    prompt: `prompt ${sample}`,
    address: { step: 0, prompt: 0, sample },
    pixels: { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 4, 5, sample) },
    ...(sample === 0 && { metadata: { tag: 'counting' } }),
  }));
const make = (url: string, options: object = {}) =>
  http(httpConfig.parse({ url, retryMs: 1, timeoutMs: 600_000, ...options }, { source: 'test' }));
/** As a run does that ends with the first failure. */
const scored = (reward: Reward, count: number) =>
  scoreRollouts([{ reward, weight: 1, onError: 'fail' }], rollouts(count));
const json = (response: ServerResponse, value: unknown) => response.end(JSON.stringify(value));

describe('a judge behind HTTP', () => {
  it('gets pictures and prompts, and gives numbers in their order, batch by batch', async () => {
    const sizes: number[] = [];
    const url = await serve(({ items }, response) => {
      sizes.push(items.length);
      const values = items.map(({ image }) => Buffer.from(image.rgb, 'base64')[5] ?? -1);
      if (items[0]?.prompt === 'prompt 0')
        expect(items[0]).toEqual({
          prompt: 'prompt 0',
          metadata: { tag: 'counting' },
          image: { width: 2, height: 1, rgb: Buffer.of(1, 2, 3, 4, 5, 0).toString('base64') },
        });
      // The earlier batch answers last.
      setTimeout(() => json(response, { values }), items[0]?.prompt === 'prompt 0' ? 30 : 0);
    });
    const { values } = await make(url, { batch: 3 }).score(rollouts(7), { signal });
    expect(values).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(sizes.toSorted((a, b) => a - b)).toEqual([1, 3, 3]);
  });

  it('says NaN for what the judge could not judge', async () => {
    const url = await serve((_, response) => json(response, { values: [1, null, 0.5] }));
    const { values } = await make(url).score(rollouts(3), { signal });
    expect(values).toEqual([1, Number.NaN, 0.5]);
  });

  it.each([[503], [429], [408]])('tries again after status %i', async (status) => {
    const url = await serve(({ items }, response, _, call) => {
      if (call < 2) response.writeHead(status).end('later');
      else json(response, { values: items.map(() => 1) });
    });
    expect((await make(url).score(rollouts(1), { signal })).values).toEqual([1]);
  });

  it('tries again when a connection breaks or nothing comes in time', async () => {
    const url = await serve(({ items }, response, request, call) => {
      if (call === 0) request.socket.destroy();
      else if (call > 1) json(response, { values: items.map(() => 1) });
    });
    expect((await make(url, { timeoutMs: 100, retries: 20 }).score(rollouts(1), { signal })).values).toEqual([1]);
  });

  it('leaves the items of a failed batch unscorable, and says why', async () => {
    const url = await serve(({ items }, response) => {
      if (items.some(({ prompt }) => prompt === 'prompt 2')) response.writeHead(500).end();
      else json(response, { values: items.map(() => 1) });
    });
    const reward = make(url, { batch: 2, retries: 1 });
    const { values, failed } = await reward.score(rollouts(5), { signal });
    expect(values).toEqual([1, 1, Number.NaN, Number.NaN, 1]);
    expect([...(failed ?? [])].map(([row, cause]) => [row, String(cause)])).toEqual(
      [2, 3].map((row) => [row, expect.stringContaining('status 500, attempt 2')]),
    );
  });

  it.each([
    ['skip-sample', Number.NaN],
    ['zero', 0],
  ] as const)('does with them as onError says: %s', async (onError, value) => {
    let requests = 0;
    const url = await serve(({ items }, response) => {
      requests++;
      if (items.some(({ prompt }) => prompt === 'prompt 2')) response.writeHead(500).end();
      else json(response, { values: items.map(() => 1) });
    });
    const reward = make(url, { batch: 2, retries: 0 });
    const [column] = await scoreRollouts([{ reward, weight: 1, onError }], rollouts(5));
    expect(column).toMatchObject({ values: [1, 1, value, value, 1], failures: 2 });
    expect(String(column?.firstFailure)).toContain('status 500');
    // Nothing is asked a second time.
    expect(requests).toBe(3);
    await expect(scored(reward, 5)).rejects.toThrow(/GVU_REWARD_FAILED.*failed on 2 of 5 rollouts/);
  });

  it.each([
    ['no JSON', '<html>', 'not JSON'],
    ['no list', '{"value":1}', 'no list'],
    ['too few values', '{"values":[1]}', '1 values for 2 items'],
    ['words', '{"values":[1,"2"]}', '"2" as value 1'],
    ['infinity', '{"values":[1,1e999]}', 'as value 1'],
    ['a flood', `{"values":[1,1],"more":"${'x'.repeat(2 ** 20)}"}`, 'more than 1048576 bytes'],
  ])('refuses %s, without asking again', async (_, text, message) => {
    let calls = 0;
    const url = await serve((__, response) => {
      calls++;
      response.end(text);
    });
    await expect(scored(make(url), 2)).rejects.toThrow(message);
    expect(calls).toBe(1);
  });

  it('does not follow to another place, nor ask again what was refused for good', async () => {
    const calls: string[] = [];
    const url = await serve((_, response, request) => {
      calls.push(request.url ?? '');
      if (calls.length === 1) response.writeHead(404).end();
      else response.writeHead(307, { location: '/elsewhere' }).end();
    });
    await expect(scored(make(url), 1)).rejects.toThrow('404');
    await expect(scored(make(url, { retries: 0 }), 1)).rejects.toThrow(/GVU_REWARD_HTTP/);
    expect(calls).toEqual(['/judge', '/judge']);
  });

  it('sends a token from the environment, and keeps secrets out of what is recorded', async () => {
    process.env.GVU_TEST_TOKEN = 'a secret';
    let seen: string | undefined;
    const url = await serve(({ items }, response, request) => {
      seen = request.headers.authorization;
      json(response, { values: items.map(() => 0) });
    });
    const reward = make(`${url}?key=hidden`, { tokenVariable: 'GVU_TEST_TOKEN', judge: 'hps 3' });
    await reward.score(rollouts(1), { signal });
    delete process.env.GVU_TEST_TOKEN;
    expect(seen).toBe('Bearer a secret');
    expect(reward.version).toBe(`1 judge="hps 3" url="${url}"`);
  });

  it('ends with an abort, also between two attempts', async () => {
    const controller = new AbortController();
    const url = await serve((_, response) => {
      response.writeHead(503, { 'retry-after': '30' }).end();
      setTimeout(() => controller.abort(), 20);
    });
    await expect(make(url).score(rollouts(1), { signal: controller.signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });

  it('is told its range, which scoring holds it to', async () => {
    const url = await serve((_, response) => json(response, { values: [2] }));
    const reward = make(url, { range: [0, 1] });
    await expect(scoreRollouts([{ reward, weight: 1, onError: 'fail' }], rollouts(1))).rejects.toThrow(
      /outside its range/,
    );
  });
});
