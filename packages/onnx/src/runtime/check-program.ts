/**
 * Does a program tell the truth about its model? Asked once, after loading. Without it, ONNX Runtime would silently ignore
 * a feed whose name belongs to an initializer, and every check of a run against the program would check the wrong thing.
 */
import { isRecord } from '@gvu/core';
import { type DType, dtypes } from '../dtype.ts';
import { kindOf } from './kind-of.ts';
import { describeType, fitsShape, type Program, type ValueSpec } from './program.ts';

/** An input or output as the loaded model declares it: ONNX Runtime's name of the type, -1 for lengths that vary. */
export interface ModelValue {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
}

/** What keeps a value from being a program at all, as the end of a sentence: callers without types can pass anything. */
export function formProblem(program: unknown): string | undefined {
  if (!isRecord(program)) return `it is ${kindOf(program)}, not an object`;
  const { name, model, inputs, outputs } = program;
  if (typeof name !== 'string') return `its name is ${kindOf(name)}, not a string`;
  if (!(model instanceof Uint8Array)) return `its model is ${kindOf(model)}, not a Uint8Array`;
  if (!isSpecs(inputs)) return 'its inputs are not an array of { name, dtype, shape }';
  return isSpecs(outputs) ? undefined : 'its outputs are not an array of { name, dtype, shape }';
}

function isSpecs(values: unknown): boolean {
  return (
    Array.isArray(values) &&
    values.every(
      (value: unknown) =>
        isRecord(value) &&
        typeof value.name === 'string' &&
        typeof value.dtype === 'string' &&
        Object.hasOwn(dtypes, value.dtype) &&
        Array.isArray(value.shape),
    )
  );
}

/** What ONNX Runtime calls the type that carries a dtype into and out of a session. */
export function ortType(dtype: DType): Exclude<DType, 'bfloat16'> | 'uint16' {
  return dtype === 'bfloat16' ? 'uint16' : dtype;
}

/** Where the program and its model contradict each other, one sentence for each. The program may know a shape better. */
export function programProblems(
  program: Program,
  model: { readonly inputs: readonly ModelValue[]; readonly outputs: readonly ModelValue[] },
): string[] {
  const declared = new Set(program.inputs.map(({ name }) => name));
  const undeclared = model.inputs.filter(({ name }) => !declared.has(name));
  return [
    ...valueProblems('input', program.inputs, model.inputs),
    ...valueProblems('output', program.outputs, model.outputs),
    ...undeclared.map(({ name }) => `The model needs the input '${name}', which the program does not declare.`),
  ];
}

function valueProblems(side: 'input' | 'output', specs: readonly ValueSpec[], values: readonly ModelValue[]): string[] {
  const names = new Set<string>();
  return specs.flatMap((spec) => {
    const value = values.find(({ name }) => name === spec.name);
    const repeated = names.has(spec.name);
    names.add(spec.name);
    if (repeated) return [`The program declares the ${side} '${spec.name}' twice.`];
    if (value === undefined) {
      const why = side === 'input' ? ' (or has an initializer of that name, which no feed replaces)' : '';
      return [`The model has no ${side} '${spec.name}'${why}.`];
    }
    if (value.type === ortType(spec.dtype) && fitsModel(spec.shape, value.shape)) return [];
    const type = describeType({ dtype: value.type, shape: value.shape });
    return [`The program declares the ${side} '${spec.name}' as ${describeType(spec)}, the model as ${type}.`];
  });
}

function fitsModel(spec: readonly number[], model: readonly number[]): boolean {
  // onnxruntime-node reports an unknown rank as [] too, which allows everything.
  return model.length === 0 || fitsShape(spec, model);
}
