/**
 * A real training run that is sometimes watched: in every other block of steps a server runs in its process, as with `gvu train --serve`, and
 * the parent's clients follow it. Arguments: folder of the runs, run, pairs of blocks, steps of a block. Tells its parent `{ url }`
 * when it is to connect clients and `{ leave: true }` when they are to go, waits for an answer to each, and ends with `{ ratios, busyMs }`:
 * of each pair the time without a server over that with one, and for how many milliseconds more of each step the event loop was busy with
 * one. Training computes in a worker and the server in the event loop: what is busy there is all that the server can take from training,
 * and is seen where the speed of the machine changes by more than that.
 */
import { basename, join } from 'node:path';
import { readEvents } from '@gvu/core';
import { Runtime } from '@gvu/onnx';
import { isRunEvent, runConfig, train } from '@gvu/rl';
import { createServer, type RunServer } from '@gvu/server';
import { createParts, resolveOptions } from '../../packages/cli/src/config/resolve-parts.ts';
import { openHost } from '../../packages/cli/src/host.ts';

const [runs = '', run = '', pairs = '1', length = '5'] = process.argv.slice(2);
const block = Number(length);
/** The first steps compile programs. */
const warmUp = 5;
const steps = warmUp + 2 * block * Number(pairs);
/** Without, with, with, without, ...: what drifts meets both alike. */
const isWatched = (index: number): boolean => index % 4 === 1 || index % 4 === 2;
const blockOf = (stepsDone: number): number => Math.floor((stepsDone - warmUp) / block);

const tellAndWait = async (message: object): Promise<void> => {
  process.send?.(message);
  await new Promise((resolve) => process.once('message', resolve));
};

let server: RunServer | undefined;
async function change(watched: boolean): Promise<void> {
  if (watched) {
    server = await createServer({ runs });
    await tellAndWait({ url: server.url.replace('http', 'ws') });
    return;
  }
  await tellAndWait({ leave: true });
  await server?.[Symbol.asyncDispose]();
  server = undefined;
}

await using host = await openHost();
const given = {
  steps,
  checkpoint: { every: 0 },
  evaluation: { every: 0, perTag: 1, tests: 0 },
  guards: { maxKl: 1e6 },
};
const config = resolveOptions(host, runConfig.parse(given, { source: 'The benchmark' }));
await using runtime = await Runtime.create({ device: 'cpu', cacheLimit: 32 });
const parts = await createParts(host, config, runtime);
await using _backend = parts.backend;
const folder = join(runs, basename(run));
/** Of each block: milliseconds in which the event loop was busy, from after its clients came or went. */
const busy: number[] = [];
let since = performance.eventLoopUtilization();
function endBlock(): void {
  busy.push(performance.eventLoopUtilization(since).active);
}
await train(parts, {
  config,
  folder,
  beforeStep: async ({ step }) => {
    if (step < warmUp || (step - warmUp) % block !== 0) return;
    if (step > warmUp) endBlock();
    const watched = isWatched(blockOf(step));
    if (watched !== (server !== undefined)) await change(watched);
    since = performance.eventLoopUtilization();
  },
});
endBlock();
if (server) await change(false);

const seconds: number[] = Array.from({ length: 2 * Number(pairs) }, () => 0);
for await (const event of readEvents(folder)) {
  if (!isRunEvent(event) || event.type !== 'step' || event.data.step <= warmUp) continue;
  const index = blockOf(event.data.step - 1);
  seconds[index] = (seconds[index] ?? 0) + event.data.seconds;
}
const ratios = Array.from({ length: Number(pairs) }, (_, pair) => {
  const [first = Number.NaN, second = Number.NaN] = seconds.slice(2 * pair, 2 * pair + 2);
  return isWatched(2 * pair) ? second / first : first / second;
});
const busyMs = Array.from({ length: Number(pairs) }, (_, pair) => {
  const [first = Number.NaN, second = Number.NaN] = busy.slice(2 * pair, 2 * pair + 2);
  return (isWatched(2 * pair) ? first - second : second - first) / block;
});
const stepSeconds = seconds.reduce((sum, value) => sum + value, 0) / (steps - warmUp);
process.send?.({
  ratios,
  busyMs,
  stepSeconds,
  rolloutsPerSecond: (config.promptsPerStep * config.groupSize) / stepSeconds,
});
process.disconnect?.();
