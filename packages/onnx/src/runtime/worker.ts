/**
 * The thread that owns every ONNX Runtime session. `session.run` blocks the thread that calls it for as long as the model
 * takes, so nothing else may live here. Knows nothing of errors with codes: the main thread makes them of the messages.
 */
import { parentPort, workerData } from 'node:worker_threads';
import {
  type Calls,
  type CallType,
  flag,
  type NamedTensor,
  type Reply,
  type Request,
  type WorkerData,
} from './protocol.ts';
import { WorkerEngine } from './worker-engine.ts';

if (parentPort === null) throw new Error('This module is the entry of a worker thread.');
const port = parentPort;
const { flags, runTime }: WorkerData = workerData;
const engine = new WorkerEngine(runTime);
let queue = Promise.resolve();

port.on('message', (request: Request) => {
  queue = queue.then(() => serve(request));
});

async function serve(request: Request): Promise<void> {
  Atomics.store(flags, flag.busy, 1);
  try {
    if (request.type === 'close') await close();
    // Read after `busy` is set, so that a main thread that sees us idle can rely on our staying so.
    else if (Atomics.load(flags, flag.closing) === 0) await answer(request);
  } finally {
    Atomics.store(flags, flag.busy, 0);
    Atomics.notify(flags, flag.busy);
  }
}

async function answer({ type, id, body }: Exclude<Request, { type: 'close' }>): Promise<void> {
  // `type` and `body` come from one member of the union, so the handler takes the body.
  const handle: (body: never) => Promise<Calls[CallType]['response']> = engine[type];
  try {
    const value = await handle.call(engine, body as never);
    port.postMessage({ id, value } satisfies Reply, Array.isArray(value) ? buffersOf(value) : []);
  } catch (error) {
    port.postMessage({ id, failure: error instanceof Error ? error.message : String(error) } satisfies Reply);
  }
}

async function close(): Promise<void> {
  await engine.dispose();
  port.close();
}

/** Results are moved to the main thread, not copied. */
function buffersOf(tensors: readonly NamedTensor[]): ArrayBuffer[] {
  return tensors.flatMap(([, { data }]) => (data.buffer instanceof ArrayBuffer ? [data.buffer] : []));
}
