/** The server beside a training run. Started by `server-beside.ts` only; it ends when that is gone. */
import type { ModelService, RunControl, Steered } from '@gvu/server';
import {
  type Beginning,
  receivedError,
  type Services,
  sentError,
  type ToServer,
  type ToTrainer,
} from './beside-messages.ts';
import { openServer } from './open-server.ts';

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly onPhase: ((phase: 'queued' | 'running') => void) | undefined;
}

const pending = new Map<number, Pending>();
let lastId = 0;

let server: AsyncDisposable | undefined;

// A Ctrl-C in the terminal, and what a job scheduler sends, reach every process of a group; this one ends after its trainer.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.once('disconnect', () => void end());
process.on('message', (message: ToServer) => {
  if ('begin' in message) {
    begin(message.begin).catch((error: unknown) => {
      tell({ failed: sentError(error) }, () => process.exit());
    });
    return;
  }
  const { id } = message;
  if ('phase' in message) return pending.get(id)?.onPhase?.(message.phase);
  const settle = pending.get(id);
  pending.delete(id);
  if ('error' in message) settle?.reject(receivedError(message.error));
  else settle?.resolve(message.result);
});

async function begin({ runs, listen, plugins, run }: Beginning): Promise<void> {
  const training = run === undefined ? {} : { control: controlOf(run), models };
  const opened = await openServer({ runs, plugins: () => plugins, ...training }, listen);
  server = opened;
  if (process.connected) tell({ opened: opened.lines });
  else await end(); // the trainer has gone meanwhile
}

/** How long clients have to say goodbye. */
const goodbyeMs = 2_000;

async function end(): Promise<void> {
  setTimeout(() => process.exit(), goodbyeMs);
  await server?.[Symbol.asyncDispose]();
  process.exit();
}

/** Asks the trainer. */
async function call<Result>(
  service: keyof Services,
  method: string,
  argument: unknown,
  { signal, onPhase }: { readonly signal?: AbortSignal; readonly onPhase?: Pending['onPhase'] } = {},
): Promise<Result> {
  signal?.throwIfAborted();
  const id = ++lastId;
  const answer = new Promise<unknown>((resolve, reject) => pending.set(id, { resolve, reject, onPhase }));
  const abort = () => {
    tell({ abort: id });
    pending.get(id)?.reject(signal?.reason);
    pending.delete(id);
  };
  signal?.addEventListener('abort', abort, { once: true });
  tell({ call: { id, service, method, argument } });
  try {
    // The trainer answers with what its service, of the same interface, gave.
    return (await answer) as Result;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

const models: ModelService = {
  generate: async (request, options) => await call('models', 'generate', request, options),
  describe: async (request, options) => await call('models', 'describe', request, options),
  score: async (request, options) => await call('models', 'score', request, options),
};

function controlOf(trained: string): RunControl {
  let state: Steered = 'running';
  return {
    steered: () => new Map([[trained, state]]),
    async pause(run) {
      await call('control', 'pause', run);
      state = 'paused';
    },
    async resume(run) {
      await call('control', 'resume', run);
      state = 'running';
    },
    checkpoint: async (run) => await call('control', 'checkpoint', run),
    stop: async (run) => await call('control', 'stop', run),
  };
}

function tell(message: ToTrainer, onSent: () => void = () => undefined): void {
  if (process.connected)
    process.send?.(message, undefined, undefined, onSent); // the trainer may be gone by then
  else onSent();
}
