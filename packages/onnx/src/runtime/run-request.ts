/** From what a caller asks of a run to what the worker is asked, with everything checked on the way. */
import { isRecord } from '@gvu/core';
import { onnxErrors } from '../errors.ts';
import type { TensorData } from '../tensor-data.ts';
import { runProblems } from './check-run.ts';
import { kindOf } from './kind-of.ts';
import { problemList } from './problem-list.ts';
import type { Program, ValueSpec } from './program.ts';
import type { RunRequest } from './protocol.ts';
import type { TransferOptions } from './send-tensors.ts';
import { Variables } from './variables.ts';

export interface RunOptions<Name extends string = string> extends TransferOptions {
  /** The outputs to return. The default is every output that `update` does not take. */
  readonly fetch?: readonly Name[] | undefined;
  /** Variables for the inputs that the feeds leave out, by name; in several sets, no name twice. */
  readonly variables?: Variables | readonly Variables[] | undefined;
  /** Output to variable: once the whole run has succeeded, these outputs are the values of these variables. */
  readonly update?: Readonly<Record<string, string>> | undefined;
  /** Rejects the run with GVU_RUNTIME_ABORTED. A model that runs already cannot be stopped: only its results are dropped. */
  readonly signal?: AbortSignal | undefined;
}

/** What stays of a run when its feeds are sent and its session is known. */
export type RunBindings = Pick<RunRequest, 'inputs' | 'updates' | 'fetch'>;

/** Throws GVU_RUNTIME_FEEDS with every problem. */
export function bindRun(
  program: Program,
  feeds: Readonly<Record<string, TensorData>>,
  { fetch, variables, update = {} }: Pick<RunOptions, 'fetch' | 'variables' | 'update'>,
): RunBindings {
  const sets: readonly Variables[] = variables === undefined ? [] : [variables].flat();
  const specs = new Map<string, ValueSpec>();
  const owners = new Map<string, Variables>();
  const repeated: string[] = [];
  for (const set of sets) {
    for (const [name, spec] of set.specs) {
      if (owners.has(name)) repeated.push(`The variable '${name}' is in two of the sets.`);
      specs.set(name, spec);
      owners.set(name, set);
    }
  }
  const fetched = fetch ?? program.outputs.map(({ name }) => name).filter((name) => !Object.hasOwn(update, name));
  const problems = [...repeated, ...runProblems(program, { feeds, fetch: fetched, update, variables: specs })];
  refuse(program, problems);

  return {
    fetch: fetched,
    inputs: program.inputs.flatMap(({ name }) => {
      const owner = owners.get(name);
      return owner === undefined ? [] : [{ name, set: owner.id }];
    }),
    updates: Object.entries(update).flatMap(([output, variable]) => {
      const owner = owners.get(variable);
      owner?.noteUpdate(variable);
      return owner === undefined ? [] : [{ output, variable, set: owner.id }];
    }),
  };
}

/** Throws GVU_RUNTIME_FEEDS for what is not even of the right kind: callers without types can pass anything. */
export function checkArguments(program: Program, feeds: unknown, options: unknown): void {
  refuse(program, argumentProblems(feeds, options));
}

function refuse({ name }: Program, problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw onnxErrors.error('GVU_RUNTIME_FEEDS', `'${name}' cannot run like this. ${problemList(problems)}`, {
    details: { program: name, problems },
  });
}

function argumentProblems(feeds: unknown, options: unknown): string[] {
  if (!isRecord(options)) return [`The options are ${kindOf(options)}, not an object.`];
  const { fetch, variables, update, signal } = options;
  const problems: string[] = [];
  if (!isRecord(feeds)) problems.push(`The feeds are ${kindOf(feeds)}, not an object of tensors by name.`);
  if (fetch !== undefined && !(Array.isArray(fetch) && fetch.every((name) => typeof name === 'string')))
    problems.push(`'fetch' is ${kindOf(fetch)}, not an array of names.`);
  if (variables !== undefined && ![variables].flat().every((set) => set instanceof Variables))
    problems.push(`'variables' is ${kindOf(variables)}, not what Runtime.variables made.`);
  if (update !== undefined && !isRecord(update))
    problems.push(`'update' is ${kindOf(update)}, not an object of names.`);
  if (signal !== undefined && !(signal instanceof AbortSignal))
    problems.push(`'signal' is ${kindOf(signal)}, not an AbortSignal.`);
  return problems;
}
