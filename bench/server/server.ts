/**
 * `npm run bench:server [-- SECONDS]`: fan-out to 100 clients, the effect of one that does not read, memory of 1,000 idle clients, replay of
 * 100,000 events. Server, writer and clients are processes of their own, so on a machine with few cores they compete. The last line
 * is one JSON object.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventLog } from '@gvu/core';
import { syntheticEvent } from './synthetic.ts';

const seconds = Number(process.argv[2] ?? 60);
const rate = 200;

interface Child extends Disposable {
  readonly process: ChildProcess;
  ask(): Promise<unknown>;
}

/** A program of this folder; its first message has been waited for. */
async function start(
  file: string,
  ...args: readonly (string | number)[]
): Promise<Child & { readonly first: unknown }> {
  const child = fork(join(import.meta.dirname, file), args.map(String), { execArgv: process.execArgv });
  const [first] = await once(child, 'message');
  return {
    process: child,
    first,
    ask: async () => {
      child.send('tell');
      const [answer] = await once(child, 'message');
      return answer;
    },
    [Symbol.dispose]: () => child.disconnect(),
  };
}

async function write(directory: string, forSeconds: number): Promise<void> {
  const args = [directory, rate, forSeconds].map(String);
  const writer = fork(join(import.meta.dirname, 'writer.ts'), args, { execArgv: process.execArgv });
  await once(writer, 'exit');
}

const quantile = (values: readonly number[], q: number): number =>
  [...values].sort((a, b) => a - b)[Math.ceil(q * values.length) - 1] ?? Number.NaN;

const rounded = (value: number): number => Number(value.toPrecision(4));

/** What the servers and clients of a folder of runs do while events are written for so long. */
async function fanOut(
  runs: string,
  run: string,
  options: { readonly seconds: number; readonly clients: number; readonly stalled: number },
) {
  const directory = join(runs, run);
  await (await EventLog.open(directory))[Symbol.asyncDispose]();
  using server = await start('server-process.ts', runs);
  const url = String(server.first).replace('http', 'ws');
  using followers = await start('clients.ts', url, run, options.clients, 'follow');
  using _stalled = options.stalled > 0 ? await start('clients.ts', url, run, options.stalled, 'stall') : undefined;
  const before = (await server.ask()) as { cpuSeconds: number }; // as server-process.ts answers
  await write(directory, options.seconds);
  await sleep(500);
  const after = (await server.ask()) as { cpuSeconds: number };
  const answer = await followers.ask();
  const { delays, lags, dropped } = answer as { delays: number[]; lags: number[]; dropped: number }; // as clients.ts answers
  return {
    deliveries: delays.length,
    expected: options.clients * rate * options.seconds * 2, // on its own channel and on that of the log; pictures tell no time
    dropped,
    p50Ms: rounded(quantile(delays, 0.5)),
    p99Ms: rounded(quantile(delays, 0.99)),
    timerLagP99Ms: rounded(quantile(lags, 0.99)),
    serverCpu: rounded((after.cpuSeconds - before.cpuSeconds) / (options.seconds + 0.5)),
  };
}

async function stallEffect(runs: string) {
  const ratios: number[] = [];
  const medianRatios: number[] = [];
  for (let round = 0; round < 3; round++) {
    const part = { seconds: Math.max(5, seconds / 4), clients: 100 };
    const without = await fanOut(runs, `without-${round}`, { ...part, stalled: 0 });
    const withOne = await fanOut(runs, `with-${round}`, { ...part, stalled: 1 });
    ratios.push(rounded(withOne.p99Ms / without.p99Ms));
    medianRatios.push(rounded(withOne.p50Ms / without.p50Ms));
    const times = (of: typeof without) => `p50 ${of.p50Ms} ms, p99 ${of.p99Ms} ms`;
    process.stderr.write(`without: ${times(without)}; with a stalled client: ${times(withOne)}\n`);
  }
  return { ratios, median: quantile(ratios, 0.5), medianRatios };
}

async function idleMemory(runs: string) {
  using server = await start('server-process.ts', runs);
  const { residentMb: empty } = (await server.ask()) as { residentMb: number };
  using _clients = await start('clients.ts', String(server.first).replace('http', 'ws'), '-', 1000, 'idle');
  await sleep(2000);
  const { residentMb } = (await server.ask()) as { residentMb: number };
  return { residentMb: rounded(residentMb), addedMb: rounded(residentMb - empty) };
}

async function replayRate(runs: string) {
  const total = 100_000;
  {
    await using log = await EventLog.open(join(runs, 'long'));
    for (let n = 0; n < total; n++) {
      const { type, data } = syntheticEvent(n);
      log.append(type, data);
    }
  }
  using server = await start('server-process.ts', runs);
  using client = await start('clients.ts', String(server.first).replace('http', 'ws'), 'long', 1, 'replay', total + 1);
  const { events, seconds: took } = (await client.ask()) as { events: number; seconds: number };
  return { events, seconds: rounded(took), eventsPerSecond: Math.round(events / took) };
}

const runs = await mkdtemp(join(tmpdir(), 'gvu-bench-'));
try {
  const report = (name: string, value: object) => process.stderr.write(`${name}: ${JSON.stringify(value)}\n`);
  const memory = await idleMemory(runs);
  report('1,000 idle clients', memory);
  const replay = await replayRate(runs);
  report('replay of 100,000 events', replay);
  // What the machine adds to any delay, the server having next to nothing to do.
  const floor = await fanOut(runs, 'floor', { seconds: Math.max(5, seconds / 4), clients: 1, stalled: 0 });
  report('1 client', floor);
  const fan = await fanOut(runs, 'fan-out', { seconds, clients: 100, stalled: 0 });
  report(`100 clients, ${rate} events/s, ${seconds} s`, fan);
  const stall = await stallEffect(runs);
  report('p99 with a stalled client over p99 without', stall);
  process.stdout.write(`${JSON.stringify({ memory, replay, floor, fanOut: fan, stall })}\n`);
} finally {
  await rm(runs, { recursive: true });
}
