/** The event log against other processes: killed at random points, without disk space, and racing for the lock. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventsPath } from '../src/event-log/event.ts';
import { EventLog, type LogEvent, readBlob, readEvents, tailEvents } from '../src/event-log/index.ts';
import { fillIntegers, randomStream } from '../src/random.ts';
import { dataOf, type Report } from './event-log-process.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gvu-process-'));
});
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(directory, { recursive: true });
});

const program = ['--import', 'tsx', '--conditions=@gvu/source', join(import.meta.dirname, 'event-log-process.ts')];

function start(mode: string): ChildProcess {
  const child = spawn(process.execPath, [...program, mode, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

/** What a process reported; a last line cut by a kill was not reported. */
function reports(output: string): Report[] {
  return output
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

async function events(): Promise<LogEvent[]> {
  const all: LogEvent[] = [];
  for await (const event of readEvents(directory)) all.push(event);
  return all;
}

/** Tells a writer to start, kills it `delayMs` after its first event, and returns what it had acknowledged. */
async function runAndKill(child: ChildProcess, delayMs: number): Promise<Report[]> {
  let output = '';
  let doomed = false;
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (doomed || !output.includes('appended')) return;
    doomed = true;
    setTimeout(() => child.kill('SIGKILL'), delayMs);
  });
  child.stdin?.write('go\n');
  await once(child, 'close');
  return reports(output);
}

test('a writer killed at random points loses nothing that it acknowledged', async () => {
  const rounds = 12;
  const delaysMs = new Int32Array(rounds);
  fillIntegers(delaysMs, randomStream(20261123, 'test/kills').at(), { low: 0, high: 40 });

  const followed: LogEvent[] = [];
  const controller = new AbortController();
  let following: Promise<void> | undefined;
  const follow = async (): Promise<void> => {
    for await (const event of await tailEvents(directory, { signal: controller.signal })) followed.push(event);
  };

  const epochs = new Set<string>();
  let nextChild = start('forever');
  for (const delayMs of delaysMs) {
    const child = nextChild;
    nextChild = start('forever'); // loads its program meanwhile
    const acknowledged = await runAndKill(child, delayMs);
    // A kill rarely hits the middle of a write: some rounds end as if it had.
    if (delayMs % 2 === 1) await appendFile(eventsPath(directory), '{"seq":9,"time":"2026-11-23T1');
    following ??= follow();

    const found = await events();
    expect(found.map((event) => event.seq)).toEqual(found.map((_, i) => i));
    for (const { appended, blob } of acknowledged) {
      if (appended !== undefined) expect(found[appended]?.type).toBe('test.item');
      if (blob !== undefined) await readBlob(directory, blob); // checks the hash
    }
    await using log = await EventLog.open(directory);
    epochs.add(log.epoch);
    expect(log.append('test.opened', null)).toBeGreaterThanOrEqual(found.length);
  }

  const all = await events();
  expect(epochs.size).toBe(1);
  expect(all.map((event) => event.seq)).toEqual(all.map((_, i) => i));
  expect(all.filter((event) => event.type === 'test.opened')).toHaveLength(rounds);
  const torn = delaysMs.filter((delayMs) => delayMs % 2 === 1).length;
  expect(torn).toBeGreaterThan(0);
  expect(all.filter((event) => event.type === 'log.repaired').length).toBeGreaterThanOrEqual(torn);
  for (const { seq, type, data } of all) if (type === 'test.item') expect(data).toEqual(dataOf(seq));
  for (const name of await readdir(join(directory, 'blobs'))) await readBlob(directory, name);

  // The reader that followed through all kills and repairs saw the same.
  await expect.poll(() => followed.length, { timeout: 5000 }).toBe(all.length);
  controller.abort();
  await following;
  expect(followed).toEqual(all);
});

test.skipIf(process.platform === 'win32')('a full disk refuses an event and keeps all others', async () => {
  // The shell's limit on the size of a file: the write beyond it is partial, then fails, as on a full disk.
  const command = 'ulimit -f 64; exec "$@"';
  const { stdout } = spawnSync('bash', ['-c', command, 'bash', process.execPath, ...program, 'full', directory], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TSX_DISABLE_CACHE: '1' }, // the loader's own files would meet the limit
  });
  expect(reports(stdout)).toEqual([
    ...[1, 2, 3, 4, 5, 6].map((appended) => ({ appended })),
    { failed: 'GVU_LOG_WRITE' },
    { appended: 7 },
  ]);
  await using log = await EventLog.open(directory);
  expect(log.nextSeq).toBe(8); // nothing was torn
  expect((await events()).map((event) => event.type)).toEqual([
    'log.created',
    ...Array.from({ length: 6 }, () => 'test.item'),
    'test.small',
  ]);
});

test('of processes that race for the lock of a killed one, exactly one gets it', async () => {
  await runAndKill(start('forever'), 0);
  const racers = Array.from({ length: 3 }, () => start('race'));
  const outputs = racers.map(() => '');
  racers.forEach((racer, i) => {
    racer.stdout?.setEncoding('utf8').on('data', (text: string) => {
      outputs[i] += text;
    });
  });
  const lines = (): number[] => outputs.map((output) => reports(output).length);
  await expect.poll(lines, { timeout: 20_000 }).toEqual([1, 1, 1]);
  for (const racer of racers) racer.stdin?.write('go\n');
  await expect.poll(lines, { timeout: 20_000 }).toEqual([2, 2, 2]);

  const outcomes = outputs.flatMap((output) => reports(output).slice(1));
  expect(outcomes.filter((outcome) => outcome.opened)).toHaveLength(1);
  expect(outcomes.filter((outcome) => outcome.failed === 'GVU_LOG_LOCKED')).toHaveLength(2);
  await expect(EventLog.open(directory)).rejects.toThrow(expect.objectContaining({ code: 'GVU_LOG_LOCKED' }));

  for (const racer of racers) racer.stdin?.end();
  await Promise.all(racers.map((racer) => (racer.exitCode === null ? once(racer, 'exit') : undefined)));
  await using _log = await EventLog.open(directory);
});
