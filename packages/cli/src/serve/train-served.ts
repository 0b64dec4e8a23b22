/** A training run with a server beside it: to watch it, to steer it, and to draw with what it has learned so far. */
import { basename, dirname, resolve } from 'node:path';
import type { PluginHost } from '@gvu/core';
import type { ActiveAdapter, Backend } from '@gvu/models';
import type { TrainOptions, TrainResult } from '@gvu/rl';
import { serveBackend } from '@gvu/server';
import { note } from '../terminal/terminal.ts';
import type { ListenOptions } from './options.ts';
import { openServerBeside } from './server-beside.ts';
import { Steering } from './steering.ts';

export type ServedHooks = Pick<TrainOptions, 'signal' | 'onAdapter' | 'beforeStep'>;

export interface ServedRun {
  readonly folder: string;
  readonly backend: Backend;
  readonly host: PluginHost;
  readonly listen: ListenOptions;
  /** Ends the run. */
  readonly signal: AbortSignal;
}

/** How long clients have to read the end of the run before the server is gone. */
const farewellMs = 1_000;

export async function trainServed(
  { folder, backend, host, listen, signal }: ServedRun,
  work: (hooks: ServedHooks) => Promise<TrainResult>,
): Promise<TrainResult> {
  const path = resolve(folder);
  let adapter: ActiveAdapter | undefined;
  const run = basename(path);
  using steering = new Steering(run);
  const services = { control: steering, models: serveBackend(backend, { adapter: () => adapter }) };
  await using server = await openServerBeside(
    { runs: dirname(path), host, signal, training: { run, services } },
    listen,
  );
  for (const line of server.lines) note(line);
  const result = await work({
    signal: steering.signal(signal),
    onAdapter: (live) => {
      adapter = live;
    },
    beforeStep: (pause) => steering.beforeStep(pause),
  });
  adapter = undefined;
  await new Promise((done) => setTimeout(done, farewellMs));
  note('The server ends with the run. To look at it again: gvu serve');
  return result;
}
