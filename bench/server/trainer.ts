/**
 * A real training run that is sometimes watched: a server runs beside it, as with `gvu train --serve`, and the parent's clients follow it; in
 * every other step the process of the server is stopped, which takes nothing at all. Arguments: folder of the runs, run, pairs of steps.
 * Tells its parent `{ come: url }` when it is to connect clients and `{ rest: true }` when it is to wait until nothing more comes, waits for
 * an answer to each, and ends with `{ ratios }`: of each pair the time without a server over that with one. What is sent of a step's very
 * end, one event of seventeen, may fall behind it.
 */
import { basename, join } from 'node:path';
import { readEvents } from '@gvu/core';
import { Runtime } from '@gvu/onnx';
import { isRunEvent, runConfig, train } from '@gvu/rl';
import { createParts, resolveOptions } from '../../packages/cli/src/config/resolve-parts.ts';
import { openHost } from '../../packages/cli/src/host.ts';
import { openServerBeside } from '../../packages/cli/src/serve/server-beside.ts';

const [runs = '', run = '', pairs = '1'] = process.argv.slice(2);
/** The first steps compile programs. */
const warmUp = 10;
const steps = warmUp + 2 * Number(pairs);
/** Without, with, with, without, ...: what drifts meets both alike. Counted from the end of the warm-up, all of which is watched. */
const isWatched = (index: number): boolean => index < 0 || index % 4 === 1 || index % 4 === 2;

const tellAndWait = async (message: object): Promise<void> => {
  process.send?.(message);
  await new Promise((resolve) => process.once('message', resolve));
};

await using host = await openHost();
await using server = await openServerBeside(
  { runs, host, signal: new AbortController().signal },
  { host: '127.0.0.1', port: 0 },
);
const [address = ''] = /http\S+:\d+/.exec(server.lines.join(' ')) ?? [];

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
let came = false;
await train(parts, {
  config,
  folder,
  beforeStep: async ({ step }) => {
    if (!came) await tellAndWait({ come: address.replace('http', 'ws') });
    came = true;
    const watched = isWatched(step - warmUp);
    if (watched === isWatched(step - 1 - warmUp)) return;
    if (watched) process.kill(server.pid, 'SIGCONT');
    await tellAndWait({ rest: true }); // until clients have what happened; as long before steps without them
    if (!watched) process.kill(server.pid, 'SIGSTOP');
  },
});
process.kill(server.pid, 'SIGCONT');
await tellAndWait({ rest: true });

const seconds: number[] = [];
for await (const event of readEvents(folder)) {
  if (isRunEvent(event) && event.type === 'step' && event.data.step > warmUp) seconds.push(event.data.seconds);
}
const ratios = Array.from({ length: Number(pairs) }, (_, pair) => {
  const [first = Number.NaN, second = Number.NaN] = seconds.slice(2 * pair, 2 * pair + 2);
  return isWatched(2 * pair) ? second / first : first / second;
});
const stepSeconds = seconds.reduce((sum, value) => sum + value, 0) / seconds.length;
process.send?.({
  ratios,
  steps,
  stepSeconds,
  rolloutsPerSecond: (config.promptsPerStep * config.groupSize) / stepSeconds,
});
process.disconnect?.();
