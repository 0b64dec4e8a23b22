/**
 * The server of a training run, in a process of its own at the lowest priority: it takes the time that training leaves, and what happens to
 * it happens to nothing else. It reads the log as any server does; what only the trainer can do, it asks the trainer for.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { PluginHost } from '@gvu/core';
import { cliErrors } from '../errors.ts';
import { Stopped } from '../terminal/failure.ts';
import { note } from '../terminal/terminal.ts';
import {
  type Beginning,
  type Call,
  receivedError,
  type Services,
  sentError,
  type ToServer,
  type ToTrainer,
} from './beside-messages.ts';
import type { OpenServer } from './open-server.ts';
import { type ListenOptions, pluginsOf } from './options.ts';

export interface ServerBeside extends OpenServer {
  /** Of its process. */
  readonly pid: number;
}

export interface BesideOffer {
  /** Folder of the runs. */
  readonly runs: string;
  readonly host: PluginHost;
  /** Gives up waiting for the server. */
  readonly signal: AbortSignal;
  /** The run that is trained here, and what can be done with it. */
  readonly training?: { readonly run: string; readonly services: Services };
}

/** How long a server has to say goodbye to its clients. */
const goodbyeMs = 3_000;

/** Resolves when the server listens. Throws GVU_SERVER_LISTEN, GVU_SERVER_OPTIONS, GVU_CLI_USAGE, GVU_CLI_FILE, GVU_CLI_SERVER, Stopped. */
export async function openServerBeside(
  { runs, host, signal, training }: BesideOffer,
  listen: ListenOptions,
): Promise<ServerBeside> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const child = fork(fileURLToPath(new URL(`./serve-child.${extension}`, import.meta.url)), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  try {
    // Now, when it has one thread: those that it will start inherit it.
    setPriority(child.pid ?? 0, constants.priority.PRIORITY_LOW);
  } catch {
    // Where that is not allowed it competes with training.
  }
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  const { host: address, port, tlsCert, tlsKey } = listen;
  const begin: Beginning = {
    runs,
    listen: {
      host: address,
      ...(port !== undefined && { port }),
      ...(tlsCert !== undefined && { tlsCert }),
      ...(tlsKey !== undefined && { tlsKey }),
    },
    plugins: pluginsOf(host),
    ...(training && { run: training.run }),
  };
  if (training) answerCalls(child, training.services);
  tell(child, { begin });
  const lines = await untilOpen(child, exited, signal);
  let ending = false;
  void exited.then((how) => {
    if (ending) return;
    note(`The server ended (${how}); training goes on. To look at it: gvu serve --runs ${runs}`);
    // Nobody is left who could end a pause; a run that is over needs no end of it.
    training?.services.control.resume(training.run).catch(() => undefined);
  });
  return {
    lines,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      ending = true;
      if (child.connected) child.disconnect();
      const timer = setTimeout(() => child.kill('SIGKILL'), goodbyeMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** What the server tells when it listens. */
async function untilOpen(
  child: ChildProcess,
  exited: Promise<string>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const stopped = () => new Stopped('Stopped before the run began.');
  let stop = (): void => undefined;
  try {
    return await new Promise((resolve, reject) => {
      child.on('message', (message: ToTrainer) => {
        if ('opened' in message) resolve(message.opened);
        else if ('failed' in message) reject(receivedError(message.failed));
      });
      stop = () => {
        child.kill('SIGKILL');
        reject(stopped());
      };
      signal.addEventListener('abort', stop);
      if (signal.aborted) stop();
      // A Ctrl-C may have reached it first.
      void exited.then((how) => reject(how === 'SIGINT' || how === 'SIGTERM' ? stopped() : neverOpened(how)));
    });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function neverOpened(how: string): Error {
  return cliErrors.error('GVU_CLI_SERVER', `The process of the server ended before it listened: ${how}.`, {
    hint: 'What it printed tells why; without --serve the run needs no server.',
  });
}

function answerCalls(child: ChildProcess, services: Services): void {
  const underWay = new Map<number, AbortController>();
  child.on('message', (message: ToTrainer) => {
    if ('abort' in message) underWay.get(message.abort)?.abort();
    if (!('call' in message)) return;
    const { id } = message.call;
    const abort = new AbortController();
    underWay.set(id, abort);
    const onPhase = (phase: 'queued' | 'running') => tell(child, { id, phase });
    serve(services, message.call, { signal: abort.signal, onPhase })
      .then(
        (result) => tell(child, { id, result }),
        (error) => tell(child, { id, error: sentError(error) }),
      )
      .finally(() => underWay.delete(id));
  });
  // Nobody is left who wants a drawing.
  child.once('disconnect', () => {
    for (const abort of underWay.values()) abort.abort();
  });
}

type CallOptions = Parameters<Services['models']['generate']>[1];

async function serve(services: Services, { service, method, argument }: Call, options: CallOptions): Promise<unknown> {
  // Both ends are of one version and of one program; the types of what is called are those of the interfaces.
  const methods = services[service] as unknown as Record<
    string,
    (argument: unknown, options: CallOptions) => Promise<unknown>
  >;
  return await methods[method]?.(argument, options);
}

function tell(child: ChildProcess, message: ToServer): void {
  if (!child.connected) return;
  try {
    child.send(message, () => undefined); // it may be gone by then
  } catch (error) {
    // A result of a plugin that holds what cannot be sent.
    if ('id' in message) child.send({ id: message.id, error: sentError(error) } satisfies ToServer, () => undefined);
    else throw error;
  }
}
