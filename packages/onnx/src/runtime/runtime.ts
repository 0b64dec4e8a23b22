/**
 * The runtime: one worker thread that owns every ONNX Runtime session, behind an asynchronous API. The main thread stays
 * free for the event log and the server: it checks and copies feeds, and gets results by moving their memory.
 */
import { onnxErrors } from '../errors.ts';
import { formProblem } from './check-program.ts';
import { deviceFailed, isDevice, unknownDevice } from './device.ts';
import { kindOf } from './kind-of.ts';
import { peakRssBytes } from './memory.ts';
import type { Program } from './program.ts';
import { type Backend, type Device, type Use, uses } from './protocol.ts';
import type { TransferOptions } from './send-tensors.ts';
import { Session } from './session.ts';
import { type CachedSession, SessionCache } from './session-cache.ts';
import { type VariableInit, Variables } from './variables.ts';
import { WorkerClient, WorkerFailure } from './worker-client.ts';

export interface RuntimeOptions {
  /** Default `cpu`. Operators without a kernel for the device run on the CPU, as ONNX Runtime does it. */
  readonly device?: Device;
  /** Threads that one operator uses on the CPU; by default ONNX Runtime takes one per physical core. */
  readonly threads?: number;
  /** Models that `cached` keeps in memory; default 8. */
  readonly cacheLimit?: number;
}

export interface LoadOptions {
  /** `training` saves memory, `inference` (the default) is faster for products of few rows, as in decoding. */
  readonly use?: Use;
}

export interface RuntimeInfo {
  /** Of onnxruntime-node. */
  readonly version: string;
  readonly device: Device;
  /** 0 = one per physical core, chosen by ONNX Runtime. */
  readonly threads: number;
  /** The execution providers that onnxruntime-node knows on this platform; only bundled ones can be used as they are. */
  readonly backends: readonly Backend[];
}

export interface RuntimeMemory {
  /** Of the whole process. */
  readonly rssBytes: number;
  readonly peakRssBytes: number;
  /** What the variables occupy; see `Variables.bytes`. */
  readonly variableBytes: number;
  /** The models in memory, cached ones too. */
  readonly sessions: readonly {
    readonly program: string;
    /** Of the model; its external weights are not in it. */
    readonly modelBytes: number;
    /** See `Session.rssGrowthBytes`. */
    readonly rssGrowthBytes: number | undefined;
  }[];
}

export class Runtime implements AsyncDisposable {
  readonly #client: WorkerClient;
  readonly #info: RuntimeInfo;
  readonly #cache: SessionCache;
  readonly #sessions = new Set<Session>();
  readonly #variables = new Set<Variables>();
  #ids = 0;

  private constructor(client: WorkerClient, info: RuntimeInfo, cacheLimit: number) {
    this.#client = client;
    this.#info = info;
    this.#cache = new SessionCache(cacheLimit);
  }

  /**
   * Starts the worker and the device. Rejects with GVU_RUNTIME_OPTIONS, or GVU_RUNTIME_DEVICE when the device is unknown or
   * does not start; nothing falls back to another one.
   */
  static async create({ device = 'cpu', threads = 0, cacheLimit = 8 }: RuntimeOptions = {}): Promise<Runtime> {
    const problems = [
      ...integerProblems({ name: 'threads', value: threads, least: 0, greatest: 1024 }),
      ...integerProblems({ name: 'cacheLimit', value: cacheLimit, least: 1, greatest: Number.MAX_SAFE_INTEGER }),
    ];
    if (problems.length > 0)
      throw onnxErrors.error('GVU_RUNTIME_OPTIONS', problems.join(' '), { details: { problems } });
    if (!isDevice(device)) throw unknownDevice(device);

    const client = new WorkerClient();
    try {
      const { version, backends } = await client.call('start', { device });
      return new Runtime(client, { version, device, threads, backends }, cacheLimit);
    } catch (error) {
      await client.close();
      throw error instanceof WorkerFailure ? deviceFailed(device, error) : error;
    }
  }

  /**
   * Loads a program. Rejects with GVU_RUNTIME_LOAD when ONNX Runtime refuses it, GVU_RUNTIME_PROGRAM when it is none or
   * lies, GVU_RUNTIME_OPTIONS.
   */
  async load(program: Program, { use = 'inference' }: LoadOptions = {}): Promise<Session> {
    if (!isUse(use))
      throw onnxErrors.error('GVU_RUNTIME_OPTIONS', `'use' is ${kindOf(use)}, but must be one of ${uses.join(', ')}.`);
    const problem = formProblem(program);
    if (problem !== undefined) throw onnxErrors.error('GVU_RUNTIME_PROGRAM', `That is no program: ${problem}.`);
    const { device, threads } = this.#info;
    const session = new Session(this.#host, program, { use, device, threads });
    await session.load();
    return session;
  }

  /**
   * The session of a key, loaded once and shared: `build` is called only when there is none. Give everything in the key that
   * the program depends on, such as the shapes. The runtime unloads the models that were unused for longest.
   */
  cached(
    key: string,
    build: () => Program | Promise<Program>,
    { use = 'inference' }: LoadOptions = {},
  ): Promise<CachedSession> {
    return this.#cache.get(`${use} ${key}`, async () => this.load(await build(), { use }));
  }

  /** Creates variables, which stay in the worker. Rejects with GVU_RUNTIME_VARIABLES, listing every problem. */
  variables(values: Readonly<Record<string, VariableInit>>, options: TransferOptions = {}): Promise<Variables> {
    return Variables.create(this.#host, values, options);
  }

  /** Resolves when everything asked for until now is done, runs abandoned by an abort too. */
  idle(): Promise<void> {
    return this.#client.idle();
  }

  info(): RuntimeInfo {
    return this.#info;
  }

  /**
   * Seconds that ONNX Runtime has spent inside models since the start. What a program took beyond that was spent on copying, waiting
   * and JavaScript.
   */
  get runSeconds(): number {
    return Number(this.#client.runTime) / 1e9;
  }

  memory(): RuntimeMemory {
    return {
      rssBytes: process.memoryUsage.rss(),
      peakRssBytes: peakRssBytes(),
      variableBytes: [...this.#variables].reduce((sum, { bytes }) => sum + bytes, 0),
      sessions: [...this.#sessions].map(({ program, rssGrowthBytes }) => ({
        program: program.name,
        modelBytes: program.model.byteLength,
        rssGrowthBytes,
      })),
    };
  }

  /**
   * Ends the worker. Whatever still waits rejects with GVU_RUNTIME_CLOSED: await `idle()` before, to let it finish. Resolves
   * when the model that runs has finished and the thread has ended. A second call does nothing.
   */
  dispose(): Promise<void> {
    return this.#client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  get #host() {
    return { client: this.#client, sessions: this.#sessions, variables: this.#variables, nextId: () => ++this.#ids };
  }
}

function isUse(value: unknown): value is Use {
  return uses.some((use) => use === value);
}

function integerProblems(limits: { name: string; value: number; least: number; greatest: number }): string[] {
  const { name, value, least, greatest } = limits;
  if (Number.isSafeInteger(value) && value >= least && value <= greatest) return [];
  return [`'${name}' is ${value}, but must be an integer from ${least} to ${greatest}.`];
}
