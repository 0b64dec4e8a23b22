/** `gvu train --serve`: the server beside it has the trainer's model and steers it, and is no condition of training. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEvents } from '@gvu/core';
import { Client, type ImageFrame } from '@gvu/server/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { gvu, nodeArguments } from './run-gvu.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-train-served-'));
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

const patient = { timeout: 300_000 };
const settings = {
  steps: 100_000,
  promptsPerStep: 1,
  groupSize: 2,
  'guards.maxKl': 1e6,
  'checkpoint.every': 0,
  'evaluation.every': 0,
};
const command = (port: number) => [
  ...['train', '--serve', '--port', String(port), '--threads', '1'],
  ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
];

/** The processes of servers that a process has started. */
function serversOf(pid: number | undefined): number[] {
  const lines = spawnSync('ps', ['-eo', 'pid,ppid,args'], { encoding: 'utf8' }).stdout.split('\n');
  return lines.flatMap((line) => {
    const [own, parent] = line.trim().split(/\s+/, 2);
    return Number(parent) === pid && line.includes('serve-child') ? [Number(own)] : [];
  });
}

/** Of every thread of a process, where the system tells (Linux). */
function nicenessOf(pid: number): number[] {
  const tasks = `/proc/${pid}/task`;
  if (!existsSync(tasks)) return [];
  return readdirSync(tasks).map((task) => {
    const stat = readFileSync(join(tasks, task, 'stat'), 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]); // field 19; the name may have blanks
  });
}

test('requests reach the trainer, and its errors the client; without its server it goes on', patient, async () => {
  const child = spawn(process.execPath, [...nodeArguments, ...command(0), '--name', 'served'], { cwd: folder });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  let output = '';
  const said = async (what: RegExp): Promise<string> => {
    while (!what.test(output)) {
      await Promise.race([new Promise((resolve) => child.stderr.once('data', resolve)), ended]);
      if (child.exitCode !== null) throw new Error(output);
    }
    return what.exec(output)?.[1] ?? '';
  };
  child.stderr.on('data', (data) => {
    output += data;
  });
  try {
    const [url = '', token] = (await said(/^Control: +(\S+)$/m)).split('/#token=');
    using client = new Client({ url: url.replace('http', 'ws'), WebSocket, ...(token !== undefined && { token }) });
    const step = async (after: number): Promise<number> => {
      for await (const item of client.subscribe({ run: 'served', channel: 'metrics', from: 'earliest' })) {
        const at = item.kind === 'event' ? Number((item.data as { readonly step: number }).step) : 0; // steps only
        if (at > after) return at;
      }
      throw new Error('The subscription ended.');
    };
    await step(0);

    const frames: ImageFrame[] = [];
    const phases: string[] = [];
    const { drawings } = await client.request(
      'generate',
      { prompt: 'a photo of a red circle', count: 2, seed: 3 },
      { onImage: (frame) => frames.push(frame), onProgress: (phase) => phases.push(phase) },
    );
    expect(drawings.map(({ image }) => image)).toEqual(frames.map(({ sha256 }) => `${sha256}.png`));
    expect(phases).toEqual(['queued', 'running']);
    const image = { png: Buffer.from(frames[0]?.bytes ?? []).toString('base64') };
    const { tokens, logProbs } = await client.request('score', { image, text: 'a photo of a red circle' });
    expect(tokens).toEqual(['a', 'photo', 'of', 'a', 'red', 'circle']);
    expect(logProbs.every((value) => value <= 0)).toBe(true);
    expect((await client.request('plugins', {})).plugins.map(({ name }) => name)).toContain('@gvu/rl');
    await expect(client.request('score', { image, text: 'xyzzy' })).rejects.toMatchObject({ code: 'GVU_MODEL_TEXT' });
    await expect(
      client.request('generate', { prompt: 'a photo of a red circle', count: 64 }, { deadlineMs: 1 }),
    ).rejects.toMatchObject({ code: 'GVU_SERVER_DEADLINE' });

    await client.request('run.pause', { run: 'served' });
    expect((await client.request('runs', {})).runs).toMatchObject([{ run: 'served', steered: 'paused' }]);
    await expect(client.request('run.stop', { run: 'other' })).rejects.toMatchObject({ code: 'GVU_CLI_CONTROL' });
    const { step: held } = await client.request('run.checkpoint', { run: 'served' });
    const [server = 0] = serversOf(child.pid);
    for (const nice of nicenessOf(server)) expect(nice).toBe(19);
    process.kill(server, 'SIGINT'); // a Ctrl-C in the terminal reaches it too, and is for the trainer
    process.kill(server, 'SIGTERM');
    expect((await client.request('runs', {})).runs).toHaveLength(1);
    process.kill(server, 'SIGKILL');

    // Nobody is left who could end the pause: it ends by itself.
    await said(/The server ended \(SIGKILL\); training goes on\./);
    const last = async (): Promise<number> => {
      let at = 0;
      for await (const { type, data } of readEvents(join(folder, 'runs', 'served'))) {
        if (type === 'step') at = Number((data as { readonly step: number }).step);
      }
      return at;
    };
    while ((await last()) <= held) await new Promise((resolve) => setTimeout(resolve, 200));
  } finally {
    child.kill('SIGINT');
  }
  expect(await ended).toBe(130);
});

test('what keeps the server from listening keeps the run from beginning, in its own words', patient, async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const address = taken.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const refused = await gvu(command(port), { cwd: folder });
  taken.close();
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('GVU_SERVER_LISTEN') });
  const half = await gvu([...command(0), '--tls-cert', 'cert.pem'], { cwd: folder });
  expect(half).toMatchObject({ code: 2, stderr: expect.stringContaining('--tls-key one is missing') });
});

test('a server does not outlive its trainer, whenever that is killed', patient, async () => {
  for (const delayMs of [300, 1500, 4000]) {
    const child = spawn(
      process.execPath,
      [...nodeArguments, ...command(0), '--out', join(folder, `killed-${delayMs}`)],
      {
        cwd: folder,
        stdio: 'ignore',
      },
    );
    let servers: number[] = [];
    while (servers.length === 0 && child.exitCode === null) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      servers = serversOf(child.pid);
    }
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    child.kill('SIGKILL');
    const isThere = () => spawnSync('ps', ['-p', servers.join()]).status === 0;
    for (let tries = 0; isThere() && tries < 300; tries++) await new Promise((resolve) => setTimeout(resolve, 100));
    expect(isThere()).toBe(false);
  }
});

test('Ctrl-C while the server starts ends the command as stopped', patient, async () => {
  const child = spawn(process.execPath, [...nodeArguments, ...command(0)], { cwd: folder, detached: true });
  let output = '';
  child.stderr.on('data', (data) => {
    output += data;
  });
  while (serversOf(child.pid).length === 0 && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 50));
  process.kill(-(child.pid ?? 0), 'SIGINT');
  expect([await new Promise((resolve) => child.once('close', resolve)), output]).toEqual([
    130,
    expect.stringContaining('Stopped before the run began.'),
  ]);
});
