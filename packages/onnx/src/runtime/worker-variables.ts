/**
 * Variables as the worker keeps them: two buffers each, one with the value and one for the next value to be written into.
 * A run reads the first and writes the second; when it has succeeded they change places, so that a step copies no state
 * between threads and a failed step leaves no trace. The second buffer exists only once something updates the variable.
 */
import type { Tensor } from 'onnxruntime-node';
import { allocate } from '../dtype.ts';
import type { TensorData } from '../tensor-data.ts';
import { copyOf, toOrt } from './ort-tensor.ts';
import type { NamedTensor } from './protocol.ts';

interface Buffer {
  readonly tensor: TensorData;
  /** Over the same memory; made once, because a model has hundreds of variables. */
  readonly ort: Tensor;
}

interface Variable {
  value: Buffer;
  next?: Buffer;
}

export class VariableSet {
  readonly #variables = new Map<string, Variable>();

  /** Creates or overwrites variables; takes over the memory. */
  put(values: readonly NamedTensor[]): void {
    for (const [name, tensor] of values) {
      const value = { tensor, ort: toOrt(tensor) };
      this.#variables.set(name, { ...this.#variables.get(name), value });
    }
  }

  value(name: string): Tensor {
    return this.#get(name).value.ort;
  }

  /** The buffer that a run may write the next value into. */
  next(name: string): Tensor {
    const variable = this.#get(name);
    variable.next ??= sameType(variable.value.tensor);
    return variable.next.ort;
  }

  /** Makes what was written into `next` the value. */
  advance(name: string): void {
    const variable = this.#get(name);
    const { value, next } = variable;
    if (next) Object.assign(variable, { value: next, next: value });
  }

  /** Copies: the memory of variables never leaves the worker. */
  read(names: readonly string[]): NamedTensor[] {
    return names.map((name) => [name, copyOf(this.#get(name).value.tensor)]);
  }

  #get(name: string): Variable {
    const variable = this.#variables.get(name);
    if (variable === undefined) throw new Error(`There is no variable '${name}'.`);
    return variable;
  }
}

function sameType({ dtype, shape, data }: TensorData): Buffer {
  // One dtype on both sides, which TypeScript cannot see in a union.
  const tensor = { dtype, shape, data: allocate(dtype, data.length) } as TensorData;
  return { tensor, ort: toOrt(tensor) };
}
