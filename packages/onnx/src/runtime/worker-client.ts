/**
 * The main thread's end of the worker: starts it, posts requests, settles their promises, and knows when it is gone.
 *
 * The thread is never terminated from outside. With onnxruntime-node 1.30, stopping a thread that is inside a model aborts
 * the whole process ("terminate called after throwing an instance of 'Napi::Error'"), and `process.exit()` stops all
 * threads. So the worker is asked to end by itself, and an exit of the process waits until the running model has finished.
 */
import { Worker } from 'node:worker_threads';
import type { GvuError } from '@gvu/core';
import { onnxErrors } from '../errors.ts';
import { type Calls, type CallType, flag, type Reply, type Request, type WorkerData } from './protocol.ts';

/** A request that could not be served: the message of ONNX Runtime. Callers make an error with a code of it. */
export class WorkerFailure extends Error {}

interface Pending {
  /** Takes what the call of this entry responds with. */
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class WorkerClient {
  readonly #flags = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  readonly #runTime = new BigInt64Array(new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT));
  readonly #worker = startWorker({ flags: this.#flags, runTime: this.#runTime });
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #idleWaiters: (() => void)[] = [];
  #requests = 0;
  /** Set when nothing more can be asked: makes the error that says why. */
  #refusal: (() => GvuError) | undefined;

  constructor() {
    holdExitFor(this.#flags);
    // A forgotten runtime must not keep a program from ending; `call` takes the reference back while there is work.
    this.#worker.unref();
    this.#worker.on('message', (reply: Reply) => this.#settle(reply));
    this.#worker.on('messageerror', (cause) => this.#refuse(() => crashed('Its answer could not be read.', cause)));
    this.#worker.on('error', (cause) => this.#refuse(() => crashed(cause.message, cause)));
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', (exitCode) => {
        releaseExitFor(this.#flags);
        this.#refuse(() => crashed(`Its thread ended with exit code ${exitCode}.`));
        resolve();
      });
    });
  }

  /** Nanoseconds that models have run for. */
  get runTime(): bigint {
    return Atomics.load(this.#runTime, 0);
  }

  /** Posts a request at once; requests are served in the order of these calls. Rejects with `WorkerFailure` or GVU_RUNTIME_*. */
  call<Type extends CallType>(
    type: Type,
    body: Calls[Type]['request'],
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Calls[Type]['response']> {
    if (this.#refusal) return Promise.reject(this.#refusal());
    const id = ++this.#requests;
    try {
      // `type` and `body` belong together, which TypeScript cannot see while `Type` is open.
      this.#worker.postMessage({ type, id, body } as Request, transfer);
    } catch (cause) {
      return Promise.reject(new WorkerFailure(`A tensor cannot be sent to the worker. ${cause}`, { cause }));
    }
    this.#worker.ref();
    return new Promise<Calls[Type]['response']>((resolve, reject) => {
      // The worker answers a call with what the call responds with.
      this.#pending.set(id, { resolve: resolve as Pending['resolve'], reject });
    });
  }

  /** A call that frees something: satisfied, too, when the worker is closed or gone, which frees everything. */
  async release<Type extends 'unload' | 'dropVariables'>(type: Type, body: Calls[Type]['request']): Promise<void> {
    try {
      await this.call(type, body);
    } catch (error) {
      if (this.#refusal === undefined) throw error;
    }
  }

  /** Resolves when every request posted until then has been served, or the worker is gone. */
  idle(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Rejects all that waits with GVU_RUNTIME_CLOSED; resolves when the thread has ended, after the model that runs. */
  close(): Promise<void> {
    if (this.#refusal === undefined) {
      const closed = () =>
        onnxErrors.error('GVU_RUNTIME_CLOSED', 'The runtime is closed.', { hint: 'Create another one.' });
      this.#refuse(closed);
      Atomics.store(this.#flags, flag.closing, 1);
      this.#worker.postMessage({ type: 'close' } satisfies Request);
    }
    // Without the reference, a process with nothing else to do would end before this has resolved.
    this.#worker.ref();
    return this.#exited;
  }

  #settle(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) this.#becomeIdle();
    if ('failure' in reply) pending?.reject(new WorkerFailure(reply.failure));
    else pending?.resolve(reply.value);
  }

  /** The first reason stays: an exit after a crash or after closing is no news. */
  #refuse(refusal: () => GvuError): void {
    if (this.#refusal) return;
    this.#refusal = refusal;
    for (const { reject } of this.#pending.values()) reject(refusal());
    this.#pending.clear();
    this.#becomeIdle();
  }

  #becomeIdle(): void {
    this.#worker.unref();
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }
}

function crashed(why: string, cause?: unknown): GvuError {
  return onnxErrors.error('GVU_RUNTIME_CRASHED', `The worker of the runtime is gone. ${why}`, {
    cause,
    hint: 'Create another runtime; sessions and variables of this one are lost.',
  });
}

function startWorker(workerData: WorkerData): Worker {
  const fromSource = new URL(import.meta.url).pathname.endsWith('.ts');
  const entry = fromSource ? './worker-from-source.mjs' : './worker.js';
  // No flags of this process: it may have some that suit only its own entry, such as `--input-type`.
  // From source, other packages must come from theirs, too: what they are built into need not be there.
  const execArgv = fromSource ? ['--conditions=@gvu/source'] : [];
  return new Worker(new URL(entry, import.meta.url), { name: 'gvu-onnx', workerData, execArgv });
}

/** A run is a matter of seconds; whoever needs the process gone sooner kills it, which is safe. */
const longestExitDelayMs = 60_000;
const liveFlags = new Set<Int32Array>();

function holdExitFor(flags: Int32Array): void {
  if (liveFlags.size === 0) process.on('exit', holdExit);
  liveFlags.add(flags);
}

function releaseExitFor(flags: Int32Array): void {
  liveFlags.delete(flags);
  if (liveFlags.size === 0) process.off('exit', holdExit);
}

/** Nothing asynchronous happens any more in an exit handler, so this blocks. */
function holdExit(): void {
  for (const flags of liveFlags) Atomics.store(flags, flag.closing, 1);
  for (const flags of liveFlags) Atomics.wait(flags, flag.busy, 1, longestExitDelayMs);
}
