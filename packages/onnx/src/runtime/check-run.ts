/**
 * Checks a run against its program before anything is sent: ONNX Runtime ignores feeds of unknown names, reports the rest
 * one at a time and without the name of the graph, and would do so only when the run's turn has come.
 */
import { didYouMeanHint } from '@gvu/core';
import { allocate } from '../dtype.ts';
import { sizeOf, type TensorData } from '../tensor-data.ts';
import { describeType, fitsShape, type Program, type ValueSpec } from './program.ts';

/** What a run asks for. */
export interface RunPlan {
  readonly feeds: Readonly<Record<string, TensorData>>;
  readonly fetch: readonly string[];
  /** Output to variable. */
  readonly update: Readonly<Record<string, string>>;
  /** Every variable that the run may use. */
  readonly variables: ReadonlyMap<string, ValueSpec>;
}

/** Every problem, one sentence each; none when the run fits the program. */
export function runProblems(program: Program, plan: RunPlan): string[] {
  return [...inputProblems(program, plan), ...fetchProblems(program, plan), ...updateProblems(program, plan)];
}

function inputProblems({ inputs }: Program, { feeds, variables }: RunPlan): string[] {
  const names = inputs.map(({ name }) => name);
  const unknown = Object.keys(feeds).filter((name) => !names.includes(name));
  const ofInputs = inputs.flatMap((spec) => {
    const variable = variables.get(spec.name);
    if (!Object.hasOwn(feeds, spec.name)) {
      if (variable === undefined) return [`Input '${spec.name}' (${describeType(spec)}) is missing.`];
      return fits(variable, spec)
        ? []
        : [`Input '${spec.name}' is ${describeType(spec)}, the variable ${describeType(variable)}.`];
    }
    if (variable !== undefined) return [`Input '${spec.name}' is fed twice, by a tensor and by a variable.`];
    const problem = tensorProblem(feeds[spec.name], spec);
    return problem === undefined ? [] : [`Input '${spec.name}' ${problem}.`];
  });
  return [...unknown.map((name) => `There is no input '${name}'.${didYouMeanHint(name, names)}`), ...ofInputs];
}

function fetchProblems({ outputs }: Program, { fetch, update }: RunPlan): string[] {
  const names = outputs.map(({ name }) => name);
  if (fetch.length === 0 && Object.keys(update).length === 0) return ['The run neither fetches nor updates anything.'];
  return fetch.flatMap((name, index) => {
    if (!names.includes(name)) return [`There is no output '${name}'.${didYouMeanHint(name, names)}`];
    return fetch.indexOf(name) === index ? [] : [`Output '${name}' is fetched twice.`];
  });
}

function updateProblems({ outputs }: Program, { update, variables }: RunPlan): string[] {
  const targets = Object.values(update);
  return Object.entries(update).flatMap(([output, target], index) => {
    const spec = outputs.find(({ name }) => name === output);
    const variable = variables.get(target);
    const problems: string[] = [];
    if (spec === undefined)
      problems.push(
        `There is no output '${output}'.${didYouMeanHint(
          output,
          outputs.map(({ name }) => name),
        )}`,
      );
    if (variable === undefined)
      problems.push(`There is no variable '${target}' to update.${didYouMeanHint(target, variables.keys())}`);
    if (targets.indexOf(target) !== index) problems.push(`Variable '${target}' is updated twice.`);
    if (spec && variable && !fits(variable, spec))
      problems.push(`Output '${output}' is ${describeType(spec)}, the variable '${target}' ${describeType(variable)}.`);
    return problems;
  });
}

function fits(value: { dtype: string; shape: readonly number[] }, spec: ValueSpec): boolean {
  return value.dtype === spec.dtype && fitsShape(value.shape, spec.shape);
}

/** What is wrong with a tensor for a place of type `spec`, as the end of a sentence; undefined when nothing is. */
export function tensorProblem(
  tensor: TensorData | undefined,
  spec: Pick<ValueSpec, 'dtype' | 'shape'>,
): string | undefined {
  // Callers without types can pass anything.
  if (!isTensorData(tensor)) return `is ${describeType(spec)}, got no { dtype, shape, data }`;
  const { dtype, shape, data } = tensor;
  if (dtype !== spec.dtype || !fitsShape(shape, spec.shape))
    return `is ${describeType(spec)}, got ${describeType({ dtype, shape })}`;
  const kind = allocate(dtype, 0)[Symbol.toStringTag];
  if (data[Symbol.toStringTag] !== kind)
    return `is ${describeType(spec)} and takes a ${kind}, got a ${data[Symbol.toStringTag]}`;
  if (!shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0))
    return `has the impossible shape [${shape.join(', ')}]`;
  if (data.length === sizeOf(shape)) return undefined;
  if (isDetached(data)) return 'has lost its memory: its ArrayBuffer was transferred to another thread';
  return `has ${data.length} elements, its shape [${shape.join(', ')}] needs ${sizeOf(shape)}`;
}

function isTensorData(value: unknown): value is TensorData {
  return (
    typeof value === 'object' &&
    value !== null &&
    'dtype' in value &&
    'shape' in value &&
    Array.isArray(value.shape) &&
    'data' in value &&
    ArrayBuffer.isView(value.data)
  );
}

/** `ArrayBuffer.prototype.detached` is newer than Node 20, where only making a view tells. */
function isDetached({ buffer }: ArrayBufferView): boolean {
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}
