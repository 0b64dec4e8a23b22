/**
 * A program in the hands of the worker. The runs of all sessions of a runtime form one queue: a run sees everything that
 * was asked for before it, and nothing of what was asked for after it.
 */
import { onnxErrors } from '../errors.ts';
import type { TensorData } from '../tensor-data.ts';
import { abortable } from './abortable.ts';
import { programProblems } from './check-program.ts';
import { withCode } from './ort-errors.ts';
import { problemList } from './problem-list.ts';
import type { Program } from './program.ts';
import type { Calls, SessionSettings } from './protocol.ts';
import { bindRun, checkArguments, type RunOptions } from './run-request.ts';
import { shipment } from './send-tensors.ts';
import type { WorkerClient } from './worker-client.ts';

/** What a session needs of the runtime it lives in. */
export interface SessionHost {
  readonly client: WorkerClient;
  /** The sessions that are in memory now. */
  readonly sessions: Set<Session>;
  nextId(): number;
}

type LoadedModel = Calls['load']['response'];

/** Made by `Runtime.load`. */
export class Session implements AsyncDisposable {
  readonly program: Program;
  readonly #host: SessionHost;
  readonly #settings: SessionSettings;
  readonly #id: number;
  #loading: Promise<LoadedModel> | undefined;
  #rssGrowthBytes: number | undefined;
  #disposal: Promise<void> | undefined;

  constructor(host: SessionHost, program: Program, settings: SessionSettings) {
    this.program = program;
    this.#host = host;
    this.#settings = settings;
    this.#id = host.nextId();
  }

  /** How much the process grew while the model was loaded: about what the session occupies. Undefined until it is. */
  get rssGrowthBytes(): number | undefined {
    return this.#rssGrowthBytes;
  }

  /** Loads the model unless it is in memory. Rejects with GVU_RUNTIME_LOAD, or GVU_RUNTIME_PROGRAM when the program lies. */
  async load(): Promise<void> {
    const problems = programProblems(this.program, await this.#load());
    if (problems.length === 0) return;
    await this.dispose();
    const message = `The program '${this.program.name}' does not describe its model. ${problemList(problems)}`;
    throw onnxErrors.error('GVU_RUNTIME_PROGRAM', message, { details: { program: this.program.name, problems } });
  }

  /** Frees the model's memory after every run started before. A later run loads it again. */
  async unload(): Promise<void> {
    if (this.#loading === undefined) return;
    this.#loading = undefined;
    this.#host.sessions.delete(this);
    await this.#host.client.release('unload', { session: this.#id });
  }

  /** Unloads the model for good. A second call does nothing. */
  dispose(): Promise<void> {
    this.#disposal ??= this.unload();
    return this.#disposal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /**
   * Runs the program once and returns the outputs fetched. `feeds` are values for its inputs.
   *
   * Rejects with GVU_RUNTIME_FEEDS, listing all that does not fit the program, before anything is sent; GVU_RUNTIME_RUN when
   * the model fails; GVU_RUNTIME_ABORTED; GVU_RUNTIME_CLOSED; GVU_RUNTIME_CRASHED. Variables are then as they were.
   */
  async run<const Name extends string = string>(
    feeds: Readonly<Record<string, TensorData>>,
    options: RunOptions<Name> = {},
  ): Promise<Readonly<Record<Name, TensorData>>> {
    const { name } = this.program;
    if (this.#disposal) throw onnxErrors.error('GVU_RUNTIME_CLOSED', `The session '${name}' has been disposed of.`);
    checkArguments(this.program, feeds, options);
    for (const set of [options.variables ?? []].flat()) set.assertUsable(this.#host.client);
    const bindings = bindRun(this.program, feeds, options);

    const outputs = await abortable(options.signal, async (state) => {
      const { tensors, buffers } = shipment(Object.entries(feeds), options);
      // Both are posted before either is awaited, so that the run keeps its place in the queue.
      const loading = this.#load();
      const request = { session: this.#id, feeds: tensors, state, ...bindings };
      const running = this.#host.client.call('run', request, buffers);
      // When loading fails so does the run, later; the reason is in the first.
      const [, result] = await Promise.all([loading, running]);
      return result ?? [];
    }).catch(withCode('GVU_RUNTIME_RUN', { what: `'${name}' failed` }));
    // The worker answers with exactly the outputs that were asked for.
    return Object.fromEntries(outputs) as Record<Name, TensorData>;
  }

  /** Posts the model unless that has been done. */
  #load(): Promise<LoadedModel> {
    if (this.#loading) return this.#loading;
    const { client, sessions } = this.#host;
    // Copied once and moved, where posting it would copy it twice.
    const model = new Uint8Array(this.program.model);
    const program = { ...this.program, model };
    const loading = client
      .call('load', { session: this.#id, program, settings: this.#settings }, [model.buffer])
      .catch(withCode('GVU_RUNTIME_LOAD', { what: `'${this.program.name}' cannot be loaded` }));
    this.#loading = loading;
    sessions.add(this);
    loading.then(
      ({ rssGrowthBytes }) => {
        this.#rssGrowthBytes = rssGrowthBytes;
      },
      () => {
        if (this.#loading !== loading) return;
        this.#loading = undefined;
        sessions.delete(this);
      },
    );
    return loading;
  }
}
