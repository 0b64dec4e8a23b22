/** From what a caller asks of a run to what the worker is asked, with everything checked on the way. */
import { onnxErrors } from '../errors.ts';
import type { TensorData } from '../tensor-data.ts';
import { runProblems } from './check-run.ts';
import { problemList } from './problem-list.ts';
import type { Program, ValueSpec } from './program.ts';
import type { RunRequest } from './protocol.ts';
import type { TransferOptions } from './send-tensors.ts';
import type { Variables } from './variables.ts';

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
  if (problems.length > 0)
    throw onnxErrors.error('GVU_RUNTIME_FEEDS', `'${program.name}' cannot run like this. ${problemList(problems)}`, {
      details: { program: program.name, problems },
    });

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
