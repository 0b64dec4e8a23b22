/**
 * Named tensors that stay in the worker between runs: weights, an optimiser's moments. A run reads them as inputs and
 * replaces them by outputs without their crossing the threads; see `Session.run`. Their dtypes and shapes never change.
 */
import { didYouMeanHint, type GvuError } from '@gvu/core';
import { allocate, type DType, dtypes } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import { sizeOf, type TensorData, tensorFromBuffer } from '../tensor-data.ts';
import { tensorProblem } from './check-run.ts';
import { problemList } from './problem-list.ts';
import { describeType, type ValueSpec } from './program.ts';
import type { NamedTensor } from './protocol.ts';
import { shipment, type TransferOptions } from './send-tensors.ts';
import type { WorkerClient } from './worker-client.ts';

/** The first value of a variable; without `data`, zeros. */
export type VariableInit =
  | TensorData
  | { readonly dtype: DType; readonly shape: readonly number[]; readonly data?: undefined };

/** What variables need of the runtime they live in. */
export interface VariablesHost {
  readonly client: WorkerClient;
  readonly variables: Set<Variables>;
  nextId(): number;
}

/** A set of variables; made by `Runtime.variables`. Reads and writes keep their place in the queue of runs. */
export class Variables implements AsyncDisposable {
  /** The variables in the order of their creation. */
  readonly specs: ReadonlyMap<string, ValueSpec>;
  /** The worker's name of the set. */
  readonly id: number;
  readonly #host: VariablesHost;
  readonly #doubled = new Set<string>();
  #disposal: Promise<void> | undefined;

  private constructor(host: VariablesHost, specs: readonly ValueSpec[]) {
    this.#host = host;
    this.id = host.nextId();
    this.specs = new Map(specs.map((spec) => [spec.name, spec]));
    host.variables.add(this);
  }

  static async create(
    host: VariablesHost,
    values: Readonly<Record<string, VariableInit>>,
    options: TransferOptions = {},
  ): Promise<Variables> {
    const entries = Object.entries(values);
    refuse(entries.flatMap(([name, init]) => initProblems(name, init)));
    const tensors = entries.map(([name, init]): NamedTensor => [name, init.data ? init : zeros(name, init)]);
    const variables = new Variables(
      host,
      tensors.map(([name, { dtype, shape }]) => ({ name, dtype, shape: [...shape] })),
    );
    await variables.#put(tensors, options);
    return variables;
  }

  /** What the values occupy in the worker, in bytes: twice for variables that a run has updated, which have two buffers. */
  get bytes(): number {
    return [...this.specs.values()].reduce(
      (sum, { name, dtype, shape }) => sum + sizeOf(shape) * dtypes[dtype].bytes * (this.#doubled.has(name) ? 2 : 1),
      0,
    );
  }

  /** Copies of the values, of all variables or of those named, as they are after every run started before. */
  async read<const Name extends string = string>(names?: readonly Name[]): Promise<Readonly<Record<Name, TensorData>>> {
    this.assertUsable();
    const wanted: readonly string[] = names ?? [...this.specs.keys()];
    refuse(wanted.flatMap((name) => this.#unknown(name)));
    const values = await this.#host.client.call('readVariables', { set: this.id, names: wanted });
    // The worker answers with exactly the names that were asked for.
    return Object.fromEntries(values) as Record<Name, TensorData>;
  }

  /** Replaces the values named, all at once, for every run started later. */
  async write(values: Readonly<Record<string, TensorData>>, options: TransferOptions = {}): Promise<void> {
    this.assertUsable();
    const tensors = Object.entries(values);
    const problems = tensors.flatMap(([name, tensor]) => {
      const spec = this.specs.get(name);
      if (spec === undefined) return this.#unknown(name);
      const problem = tensorProblem(tensor, spec);
      return problem === undefined ? [] : [`'${name}' ${problem}.`];
    });
    refuse(problems);
    await this.#put(tensors, options);
  }

  /** Frees the memory, after every run started before. A second call does nothing. */
  dispose(): Promise<void> {
    this.#host.variables.delete(this);
    this.#disposal ??= this.#host.client.release('dropVariables', { set: this.id });
    return this.#disposal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** Throws GVU_RUNTIME_CLOSED after `dispose`, GVU_RUNTIME_VARIABLES in the hands of another runtime than its own. */
  assertUsable(client: WorkerClient = this.#host.client): void {
    if (this.#disposal) throw onnxErrors.error('GVU_RUNTIME_CLOSED', 'The variables have been disposed of.');
    if (client !== this.#host.client) refuse(['The variables belong to another runtime.']);
  }

  /** For the accounting: a run has been started that writes this variable. */
  noteUpdate(name: string): void {
    this.#doubled.add(name);
  }

  async #put(tensors: readonly NamedTensor[], options: TransferOptions): Promise<void> {
    const { tensors: values, buffers } = shipment(tensors, options);
    await this.#host.client.call('putVariables', { set: this.id, values }, buffers);
  }

  #unknown(name: string): string[] {
    return this.specs.has(name) ? [] : [`There is no variable '${name}'.${didYouMeanHint(name, this.specs.keys())}`];
  }
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw refusal(problems);
}

function refusal(problems: readonly string[]): GvuError {
  return onnxErrors.error('GVU_RUNTIME_VARIABLES', problemList(problems), { details: { problems } });
}

function initProblems(name: string, init: VariableInit): string[] {
  // Callers without types can pass anything.
  if (!hasTypeOf(init)) return [`'${name}' has no { dtype, shape }.`];
  if (!Object.hasOwn(dtypes, init.dtype)) return [`'${name}' has the unknown dtype '${init.dtype}'.`];
  if (!init.shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0))
    return [`'${name}' is ${describeType(init)}, which is not the shape of a tensor.`];
  const problem = init.data === undefined ? undefined : tensorProblem(init, init);
  return problem === undefined ? [] : [`'${name}' ${problem}.`];
}

function hasTypeOf(init: unknown): boolean {
  return typeof init === 'object' && init !== null && 'dtype' in init && 'shape' in init && Array.isArray(init.shape);
}

function zeros(name: string, type: { readonly dtype: DType; readonly shape: readonly number[] }): TensorData {
  const { dtype, shape } = type;
  try {
    return tensorFromBuffer(dtype, shape, allocate(dtype, sizeOf(shape)).buffer);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw refusal([`There is no memory for '${name}', which is ${describeType(type)}: ${cause.message}.`]);
  }
}
