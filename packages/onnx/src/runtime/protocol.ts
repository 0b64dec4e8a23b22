/**
 * What the two threads say to each other. Requests are served strictly in the order in which they were posted, one at a
 * time: every promise of the runtime about order rests on that.
 */
import type { TensorData } from '../tensor-data.ts';
import type { ModelValue } from './check-program.ts';
import type { Program } from './program.ts';

export const devices = ['cpu', 'cuda', 'webgpu'] as const;
export type Device = (typeof devices)[number];

/** What a session is for, which decides how memory and time are traded; see `session-options.ts`. */
export const uses = ['training', 'inference'] as const;
export type Use = (typeof uses)[number];

export interface SessionSettings {
  readonly use: Use;
  readonly device: Device;
  /** Threads of one operator; 0 lets ONNX Runtime take one per physical core. */
  readonly threads: number;
}

export type NamedTensor = readonly [name: string, tensor: TensorData];

/** An execution provider, and whether the installed onnxruntime-node contains it. */
export interface Backend {
  readonly name: string;
  readonly bundled: boolean;
}

export interface RunRequest {
  readonly session: number;
  readonly feeds: readonly NamedTensor[];
  /** Inputs that variables feed. */
  readonly inputs: readonly { readonly name: string; readonly set: number }[];
  readonly updates: readonly { readonly output: string; readonly set: number; readonly variable: string }[];
  readonly fetch: readonly string[];
  /** One shared number of `runState`: the thread that changes it from `open` decides whether the run counts. */
  readonly state: Int32Array | undefined;
}

export const runState = { open: 0, committed: 1, aborted: 2 } as const;

export interface Calls {
  start: { request: { device: Device }; response: { version: string; backends: readonly Backend[] } };
  load: {
    request: { session: number; program: Program; settings: SessionSettings };
    response: { inputs: readonly ModelValue[]; outputs: readonly ModelValue[]; rssGrowthBytes: number };
  };
  unload: { request: { session: number }; response: undefined };
  /** Responds with the fetched outputs; with undefined when the run was aborted. */
  run: { request: RunRequest; response: readonly NamedTensor[] | undefined };
  /** Creates the set, and variables in it, where they do not exist. */
  putVariables: { request: { set: number; values: readonly NamedTensor[] }; response: undefined };
  readVariables: { request: { set: number; names: readonly string[] }; response: readonly NamedTensor[] };
  dropVariables: { request: { set: number }; response: undefined };
}

export type CallType = keyof Calls;

export type Request =
  | {
      [Type in CallType]: { readonly type: Type; readonly id: number; readonly body: Calls[Type]['request'] };
    }[CallType]
  | { readonly type: 'close' };

export type Reply =
  | { readonly id: number; readonly value: Calls[CallType]['response'] }
  | { readonly id: number; readonly failure: string };

/** Two flags that both threads see, in an Int32Array. */
export const flag = {
  /** Set by the main thread: start nothing more. */
  closing: 0,
  /** Set by the worker while it may be inside native code, where stopping its thread would abort the whole process. */
  busy: 1,
} as const;

export interface WorkerData {
  readonly flags: Int32Array;
  /** One number that the worker adds to: nanoseconds that models have run for. */
  readonly runTime: BigInt64Array;
}
