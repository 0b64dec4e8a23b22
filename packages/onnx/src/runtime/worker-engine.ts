/** What the worker does for each request: sessions, runs and variables, straight on onnxruntime-node. */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { env, InferenceSession, listSupportedBackends, type Tensor } from 'onnxruntime-node';
import type { TensorData } from '../tensor-data.ts';
import type { ModelValue } from './check-program.ts';
import { fromOrt, toOrt } from './ort-tensor.ts';
import { describeType, fitsShape, type ValueSpec } from './program.ts';
import { type Calls, type CallType, type NamedTensor, runState } from './protocol.ts';
import { sessionOptions } from './session-options.ts';
import { VariableSet } from './worker-variables.ts';

type Handlers = { [Type in CallType]: (body: Calls[Type]['request']) => Promise<Calls[Type]['response']> };

/** `y = Identity(x)` over float32[1], opset 13: something to make a device start with. */
const identityModel = Buffer.from(
  'CAo6OgoTCgF4EgF5GgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEA1CEQoNY29tLm1pY3Jvc29mdBAB',
  'base64',
);

interface Loaded {
  readonly session: InferenceSession;
  readonly outputs: readonly ValueSpec[];
}

export class WorkerEngine implements Handlers {
  readonly #sessions = new Map<number, Loaded>();
  readonly #sets = new Map<number, VariableSet>();
  readonly #nobody = portWithoutPeer();
  readonly #runTime: BigInt64Array;

  constructor(runTime: BigInt64Array) {
    this.#runTime = runTime;
  }

  async start({ device }: Calls['start']['request']): Promise<Calls['start']['response']> {
    // What ONNX Runtime reports is thrown, and printing it as well would put it between the lines of the user's terminal.
    env.logLevel = 'fatal';
    const session = await InferenceSession.create(
      identityModel,
      sessionOptions({ use: 'inference', device, threads: 1 }),
    );
    await session.release();
    return { version: env.versions.node ?? env.versions.common, backends: listSupportedBackends() };
  }

  async load({ session: id, program, settings }: Calls['load']['request']): Promise<Calls['load']['response']> {
    const rssBefore = process.memoryUsage.rss();
    const session = await InferenceSession.create(program.model, sessionOptions(settings, program));
    this.#sessions.set(id, { session, outputs: program.outputs });
    const rssGrowthBytes = process.memoryUsage.rss() - rssBefore;
    return { inputs: modelValues(session.inputMetadata), outputs: modelValues(session.outputMetadata), rssGrowthBytes };
  }

  async unload({ session: id }: Calls['unload']['request']): Promise<undefined> {
    const loaded = this.#sessions.get(id);
    this.#sessions.delete(id);
    await loaded?.session.release();
  }

  async run(request: Calls['run']['request']): Promise<Calls['run']['response']> {
    const { feeds, inputs, updates, fetch, state } = request;
    if (state && Atomics.load(state, 0) === runState.aborted) return undefined;
    const { session, outputs: specs } = this.#session(request.session);

    const feed: Record<string, Tensor> = {};
    for (const [name, tensor] of feeds) feed[name] = toOrt(tensor);
    for (const { name, set } of inputs) feed[name] = this.#set(set).value(name);
    const buffers: Record<string, Tensor | null> = {};
    for (const name of fetch) buffers[name] = null;
    for (const { output, set, variable } of updates) buffers[output] = this.#set(set).next(variable);

    // Also for an output with a buffer of ours, the tensor returned has its own memory: fetching it as well is safe.
    const begun = process.hrtime.bigint();
    const results = await session.run(feed, buffers);
    Atomics.add(this.#runTime, 0, process.hrtime.bigint() - begun);
    const outputs = fetch.map((name): NamedTensor => [name, checkedOutput(specs, name, results[name])]);

    if (state && Atomics.compareExchange(state, 0, runState.open, runState.committed) !== runState.open)
      return undefined;
    for (const { set, variable } of updates) this.#set(set).advance(variable);
    const unused = updates.filter(({ output }) => !fetch.includes(output)).map(({ output }) => results[output]?.data);
    this.#discard([...feeds.map(([, { data }]) => data), ...unused]);
    return outputs;
  }

  async putVariables({ set, values }: Calls['putVariables']['request']): Promise<undefined> {
    const variables = this.#sets.get(set) ?? new VariableSet();
    this.#sets.set(set, variables);
    variables.put(values);
  }

  async readVariables({ set, names }: Calls['readVariables']['request']): Promise<readonly NamedTensor[]> {
    return this.#set(set).read(names);
  }

  async dropVariables({ set }: Calls['dropVariables']['request']): Promise<undefined> {
    this.#sets.delete(set);
  }

  async dispose(): Promise<void> {
    for (const id of this.#sessions.keys()) await this.unload({ session: id });
    this.#sets.clear();
  }

  /**
   * Frees memory at once. onnxruntime-node copies every output into new memory, also one that it wrote into a buffer of ours;
   * left to the garbage collector, a step that updates 60 MB of variables peaked 90 MB higher and took 10 % more CPU time.
   */
  #discard(arrays: readonly unknown[]): void {
    const buffers = arrays.filter((array) => ArrayBuffer.isView(array)).map(({ buffer }) => buffer);
    // A message to nobody. Node 20 lacks `ArrayBuffer.prototype.transfer`, which would do the same.
    this.#nobody.postMessage(
      undefined,
      [...new Set(buffers)].filter((buffer) => buffer instanceof ArrayBuffer),
    );
  }

  #session(id: number): Loaded {
    const loaded = this.#sessions.get(id);
    if (loaded === undefined) throw new Error('The session is not loaded.');
    return loaded;
  }

  #set(id: number): VariableSet {
    const set = this.#sets.get(id);
    if (set === undefined) throw new Error('The variables are gone.');
    return set;
  }
}

/** ONNX Runtime accepts a result of another shape than the model declares, for example out of a `Loop`. */
function checkedOutput(specs: readonly ValueSpec[], name: string, result: Tensor | undefined): TensorData {
  const spec = specs.find((output) => output.name === name);
  if (spec === undefined || result === undefined) throw new Error(`The model gave no output '${name}'.`);
  const output = fromOrt(spec.dtype, result);
  if (!fitsShape(output.shape, spec.shape))
    throw new Error(`The output '${name}' is ${describeType(output)}, but declared as ${describeType(spec)}.`);
  return output;
}

function portWithoutPeer(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  return port1;
}

function modelValues(metadata: readonly InferenceSession.ValueMetadata[]): ModelValue[] {
  return metadata.map((value) =>
    value.isTensor
      ? { name: value.name, type: value.type, shape: value.shape.map((dim) => (typeof dim === 'number' ? dim : -1)) }
      : { name: value.name, type: 'not a tensor', shape: [] },
  );
}
