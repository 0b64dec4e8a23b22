/**
 * `npm run bench:server [-- SECONDS [PART...]]`: the five figures of the server, in one run.
 *
 *     memory     memory of 1,000 idle clients
 *     replay     replay of 100,000 events
 *     floor      one client, to see what the machine adds to any delay
 *     fanOut     fan-out to 100 clients for SECONDS
 *     stall      what one client that does not read does to the others
 *     trainer    speed of a trainer with 10 clients over that without a server
 *
 * Default 60 s and all parts, about 12 minutes; `-- 2` is a short run with fewer of everything that only shows that it works. Server, writer,
 * clients and trainer are processes of their own, so on a machine with few cores they compete: run it when nothing else does. Ratios are of
 * neighbouring parts of one run, in turns; `timerLagP99` says by how much timers of the clients' process were late, whatever the
 * server did. The last line is one JSON object.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventLog } from '@gvu/core';
import { quantile, syntheticEvent } from './synthetic.ts';

const seconds = Number(process.argv[2] ?? 60);
const short = seconds < 20;
/** Idle clients, clients that follow, events that are replayed. */
const [idle, clients, replayed] = short ? [50, 10, 2000] : [1000, 100, 100_000];
const rate = 200;
/** Before each part that is measured. */
const settleMs = 1000;

interface Child extends Disposable {
  readonly process: ChildProcess;
  /** Its first message. */
  readonly first: unknown;
  /** What happens from now on is what it will tell of. */
  begin(): void;
  ask(): Promise<unknown>;
}

const launch = (file: string, ...args: readonly (string | number)[]): ChildProcess =>
  fork(join(import.meta.dirname, file), args.map(String), { execArgv: process.execArgv });

/** A program of this folder; its first message has been waited for. */
async function start(file: string, ...args: readonly (string | number)[]): Promise<Child> {
  const child = launch(file, ...args);
  const [first] = await once(child, 'message');
  return {
    process: child,
    first,
    begin: () => void child.send('begin'),
    ask: async () => {
      child.send('tell');
      const [answer] = await once(child, 'message');
      return answer;
    },
    [Symbol.dispose]: () => child.disconnect(),
  };
}

const urlOf = ({ first }: Child): string => String(first).replace('http', 'ws');
const rounded = (value: number): number => Number(value.toPrecision(4));
const median = (values: readonly number[]): number => rounded(quantile(values, 0.5));

/** What `server-process.ts` answers. */
interface ServerState {
  readonly residentMb: number;
  readonly cpuSeconds: number;
  readonly tooSlow: number;
}
/** What `clients.ts` answers. */
interface Received {
  readonly deliveries: number;
  readonly dropped: number;
  readonly p50: number;
  readonly p99: number;
  readonly lagP99: number;
}

/** What `trainer.ts` tells. */
interface TrainerMessage {
  readonly come?: string;
  readonly ratios?: readonly number[];
  readonly steps?: number;
  readonly stepSeconds?: number;
  readonly rolloutsPerSecond?: number;
}

/** A run with so many events. */
async function writeRun(runs: string, run: string, events: number): Promise<void> {
  await using log = await EventLog.open(join(runs, run));
  for (let n = 0; n < events; n++) {
    const { type, data } = syntheticEvent(n);
    log.append(type, data);
  }
}

async function idleMemory(runs: string) {
  using server = await start('server-process.ts', runs);
  const { residentMb: empty } = (await server.ask()) as ServerState;
  using _clients = await start('clients.ts', urlOf(server), '-', idle, 'idle');
  await sleep(2000);
  const { residentMb } = (await server.ask()) as ServerState;
  return { residentMb: rounded(residentMb), addedMb: rounded(residentMb - empty) };
}

/** The server's first reading of the log is part of it. */
async function replayRate(runs: string) {
  await writeRun(runs, 'long', replayed);
  const rates: number[] = [];
  for (let round = 0; round < (short ? 1 : 5); round++) {
    using server = await start('server-process.ts', runs);
    using client = await start('clients.ts', urlOf(server), 'long', 1, 'replay', replayed + 1);
    const { events, seconds: took } = (await client.ask()) as { events: number; seconds: number };
    rates.push(Math.round(events / took));
  }
  return { rates, eventsPerSecond: median(rates) };
}

/** What clients of one server receive while events are written: the deliveries of parts of so many seconds. */
async function following<T>(
  runs: string,
  run: string,
  { count, past }: { readonly count: number; readonly past: number },
  work: (part: (seconds: number) => Promise<Received>, server: Child) => Promise<T>,
): Promise<T> {
  await writeRun(runs, run, past);
  using server = await start('server-process.ts', runs);
  using followers = await start('clients.ts', urlOf(server), run, count, 'follow');
  const { process: writer } = await start('writer.ts', join(runs, run), rate);
  const part = async (forSeconds: number): Promise<Received> => {
    // Summing up the part before has kept the clients from reading, and whoever came or went has taken the processor.
    await sleep(settleMs);
    followers.begin();
    await sleep(1000 * forSeconds);
    return (await followers.ask()) as Received;
  };
  try {
    await part(1); // the first second compiles what is used
    return await work(part, server);
  } finally {
    writer.disconnect();
    await once(writer, 'exit');
  }
}

async function fanOut(runs: string, run: string, count: number, forSeconds: number) {
  return await following(runs, run, { count, past: 0 }, async (part, server) => {
    const before = (await server.ask()) as ServerState;
    const { deliveries, dropped, p50, p99, lagP99 } = await part(forSeconds);
    const after = (await server.ask()) as ServerState;
    return {
      deliveries,
      // On its own channel and on that of the log; pictures and the server's own channel tell no time.
      perEvent: rounded(deliveries / (rate * forSeconds)),
      ...{ dropped, p50Ms: rounded(p50), p99Ms: rounded(p99), timerLagP99Ms: rounded(lagP99) },
      serverCpu: rounded((after.cpuSeconds - before.cpuSeconds) / forSeconds),
    };
  });
}

/** Parts without and with a client that does not read, in turns of one run. */
async function stallEffect(runs: string) {
  // Within the 5 s after which the server sends it away.
  const [rounds, partSeconds] = short ? [1, 2] : [10, 4];
  return await following(runs, 'stall', { count: clients, past: short ? 1000 : 20_000 }, async (part, server) => {
    const without = () => part(partSeconds);
    const withOne = async () => {
      using _stalled = await start('clients.ts', urlOf(server), 'stall', 1, 'stall');
      const received = await part(partSeconds);
      await sleep(2000); // it is sent away
      return received;
    };
    const p99Ratios: number[] = [];
    const p50Ratios: number[] = [];
    let dropped = 0;
    for (let round = 0; round < rounds; round++) {
      // Each comes first as often as the other.
      const [a, b] = round % 2 === 0 ? [await without(), await withOne()] : [await withOne(), await without()];
      const [alone, beside] = round % 2 === 0 ? [a, b] : [b, a];
      p99Ratios.push(rounded(beside.p99 / alone.p99));
      p50Ratios.push(rounded(beside.p50 / alone.p50));
      dropped += alone.dropped + beside.dropped;
    }
    const { tooSlow } = (await server.ask()) as ServerState;
    const medians = { p99Ratio: median(p99Ratios), p50Ratio: median(p50Ratios) };
    return { ...medians, p99Ratios, p50Ratios, droppedOfOthers: dropped, sentAway: tooSlow };
  });
}

/**
 * The speed of a trainer with 10 clients over that without a server. The speed of a machine changes by more than a server takes, so
 * turns are short, a step each, and many; the interval says what is left of that.
 */
async function trainerSpeed(runs: string) {
  const pairs = short ? 6 : 220;
  using clients = await start('takers.ts', 10);
  clients.process.once('exit', (code) => {
    if (code) process.exit(code); // it has said why
  });
  const trainer = launch('trainer.ts', runs, 'trained', pairs);
  let taken = 0;
  for (;;) {
    const message: TrainerMessage = (await once(trainer, 'message'))[0];
    if (message.ratios) {
      const { ratios, steps = Number.NaN, stepSeconds = Number.NaN, rolloutsPerSecond = Number.NaN } = message;
      const logs = ratios.map(Math.log);
      const { mean, error } = meanOf(logs);
      return {
        ...{ ratio: rounded(Math.exp(mean)), interval: [-1.96, 1.96].map((z) => rounded(Math.exp(mean + z * error))) },
        ...{ median: median(ratios), spread: rounded(error * Math.sqrt(pairs)), pairs },
        kilobytesPerStep: rounded(taken / steps / 1000),
        ...{ stepSeconds: rounded(stepSeconds), rolloutsPerSecond: rounded(rolloutsPerSecond) },
      };
    }
    clients.process.send(message.come === undefined ? {} : { url: message.come, run: 'trained' });
    const [{ bytes }] = await once(clients.process, 'message');
    taken = bytes;
    trainer.send('done');
  }
}

/** The mean and its standard error. */
function meanOf(values: readonly number[]): { readonly mean: number; readonly error: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: Math.sqrt(squares / (values.length - 1) / values.length) };
}

const runs = await mkdtemp(join(tmpdir(), 'gvu-bench-'));
const parts: Readonly<Record<string, () => Promise<object>>> = {
  memory: () => idleMemory(runs),
  replay: () => replayRate(runs),
  // What the machine adds to any delay, the server having next to nothing to do.
  floor: () => fanOut(runs, 'floor', 1, seconds / 4),
  fanOut: () => fanOut(runs, 'fan-out', clients, seconds),
  stall: () => stallEffect(runs),
  trainer: () => trainerSpeed(runs),
};
try {
  const wanted = process.argv.slice(3);
  const unknown = wanted.filter((name) => !(name in parts));
  if (unknown.length > 0) throw new Error(`There is no part ${unknown}, only ${Object.keys(parts)}.`);
  const results: Record<string, object> = {};
  for (const [name, measure] of Object.entries(parts)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    results[name] = await measure();
    process.stderr.write(`${name}: ${JSON.stringify(results[name])}\n`);
  }
  process.stdout.write(`${JSON.stringify(results)}\n`);
} finally {
  await rm(runs, { recursive: true });
}
