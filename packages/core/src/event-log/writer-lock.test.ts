import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EventLog } from './event-log.ts';
import { acquireWriterLock } from './writer-lock.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gvu-lock-'));
  mkdirSync(join(directory, 'events.lock'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const locked = expect.objectContaining({ code: 'GVU_LOG_LOCKED' });

/** Leaves the lock file of a holder. */
function leave(file: string, content: unknown): void {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  writeFileSync(join(directory, 'events.lock', file), text);
}

test('excludes a second writer until it is released', () => {
  const lock = acquireWriterLock(directory);
  expect(() => acquireWriterLock(directory)).toThrow(
    expect.objectContaining({ code: 'GVU_LOG_LOCKED', details: expect.objectContaining({ pid: process.pid }) }),
  );
  lock.release();
  acquireWriterLock(directory).release();
  acquireWriterLock(directory).release();
  expect(readdirSync(join(directory, 'events.lock'))).toEqual(['3.free']);
});

test('lets exactly one of many open the log at the same time', async () => {
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => EventLog.open(directory)));
  const opened = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  expect(opened).toHaveLength(1);
  for (const reason of refused) expect(reason).toEqual(locked);
  for (const log of opened) await log[Symbol.asyncDispose]();
});

test.skipIf(process.platform === 'win32')('is not taken under a generation that came and went meanwhile', async () => {
  // Reading the lock that was left waits in the pipe, after the look at the directory and before the new lock is made.
  const lock = (name: string): string => join(directory, 'events.lock', name);
  spawnSync('sh', ['-c', 'mkfifo "$1"', 'sh', lock('5')]);
  const shell = spawn('sh', ['-c', 'exec 3> "$1"; : > "$2"; printf torn >&3', 'sh', lock('5'), lock('6.free')]);
  acquireWriterLock(directory);
  expect(readdirSync(join(directory, 'events.lock'))).toEqual(['7']);
  await once(shell, 'close');
});

test('may be released after its directory was deleted', () => {
  const lock = acquireWriterLock(directory);
  rmSync(join(directory, 'events.lock'), { recursive: true });
  lock.release();
});

describe('a lock that was left behind', () => {
  const dead = spawnSync(process.execPath, ['--eval', '']).pid;

  test('by a process that has ended is taken over, generations ascend as numbers', () => {
    leave('9', { pid: 1, host: 'elsewhere', started: null });
    leave('10', { pid: dead, host: hostname(), started: null });
    acquireWriterLock(directory);
    expect(readdirSync(join(directory, 'events.lock'))).toEqual(['11']);
  });

  test.skipIf(process.platform !== 'linux')('by a process whose id is in use again is taken over', () => {
    leave('1', { pid: process.pid, host: hostname(), started: '1' });
    acquireWriterLock(directory);
  });

  test('on another machine is respected', () => {
    leave('1', { pid: dead, host: 'elsewhere', started: null });
    expect(() => acquireWriterLock(directory)).toThrow(locked);
  });

  test('by a process that is alive and tells no start time is respected', () => {
    leave('1', { pid: process.ppid, host: hostname(), started: null });
    expect(() => acquireWriterLock(directory)).toThrow(locked);
  });

  test('empty is respected while its holder may be just writing it, and then taken over', () => {
    leave('1', '');
    expect(() => acquireWriterLock(directory)).toThrow(locked);
    const longAgo = Date.now() / 1000 - 60;
    utimesSync(join(directory, 'events.lock', '1'), longAgo, longAgo);
    acquireWriterLock(directory);
  });

  test('torn by a crash of the machine is taken over', () => {
    leave('1', '{"pid":12');
    acquireWriterLock(directory);
  });

  test('is told from files that are none', () => {
    leave('README', 'x');
    leave('7.tmp', 'x');
    acquireWriterLock(directory);
    expect(readdirSync(join(directory, 'events.lock')).sort((a, b) => a.localeCompare(b))).toEqual([
      '1',
      '7.tmp',
      'README',
    ]);
  });
});
