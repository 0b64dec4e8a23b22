/** The client in another language, which was written from the page on the protocol alone. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createServer } from '../src/index.ts';
import { json, openRun, rollout, runsFolder, step } from './run-folder.ts';

const python = spawnSync('python3', ['-c', 'import struct']).status === 0;
const script = fileURLToPath(new URL('../../../examples/python-client/follow.py', import.meta.url));

test.skipIf(!python)('examples/python-client follows a run, live', async () => {
  await using folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  const token = 'token-of-the-test-0123';
  const tokens = [{ token, scopes: ['read'] as const }];
  await using server = await createServer({ runs: folder.path, tokens, anonymous: [] });
  log.append('step', json(step(1)));
  const child = spawn('python3', [script, '127.0.0.1', String(server.port), 'a'], {
    env: { ...process.env, GVU_TOKEN: token },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    let text = '';
    child.stdout.on('data', (data) => {
      text += String(data);
    });
    const until = async (expected: string) => await expect.poll(() => text, { timeout: 20_000 }).toContain(expected);
    await until("0 step {'reward/mean': 0.01, 'kl': None}");
    const picture = Buffer.alloc(70_000, 7); // long enough for the longest form of a frame's length
    log.append('rollout', json(rollout(2, await log.putBlob(picture, 'png'))));
    await until(`picture ${createHash('sha256').update(picture).digest('hex')} of 70000 bytes`);
    log.append('run.ended', { step: 2, reason: 'finished', message: '', seconds: 1 });
    await until('0 run.ended finished');
  } finally {
    child.kill();
  }
});
