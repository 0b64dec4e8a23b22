/**
 * How an operator is described: its domain, how many operands it takes, and the rule that infers the types of its outputs
 * from operands and attributes. Also the vocabulary that the rules are written in: broadcasting, axes, constants.
 */
import { type DType, isFloat } from '../../dtype.ts';
import { onnxErrors } from '../../errors.ts';
import { sizeOf, toNumbers } from '../../tensor-data.ts';
import { type Attributes, DYNAMIC, type Tensor, type TensorType } from '../graph.ts';

export interface OpSpec<A extends object> {
  readonly domain: string;
  /** Fewest and most operands. */
  readonly arity: readonly [number, number];
  readonly infer: (node: Inference<A>) => readonly TensorType[];
}

// biome-ignore lint/complexity/noBannedTypes: an operator without attributes takes exactly the empty object.
export type NoAttributes = {};

export function spec<A extends object = NoAttributes>(
  arity: readonly [number, number] | number,
  infer: (node: Inference<A>) => readonly TensorType[],
  domain = '',
): OpSpec<A> {
  return { arity: typeof arity === 'number' ? [arity, arity] : arity, infer, domain };
}

/** What an inference rule sees of the node to be. */
export class Inference<A extends object = Attributes> {
  readonly op: string;
  readonly name: string;
  readonly opset: number;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes: A;

  constructor(facts: Pick<Inference<A>, 'op' | 'name' | 'opset' | 'inputs' | 'attributes'>) {
    this.op = facts.op;
    this.name = facts.name;
    this.opset = facts.opset;
    this.inputs = facts.inputs;
    this.attributes = facts.attributes;
  }

  /** The operands that are there. */
  get present(): readonly Tensor[] {
    return this.inputs.filter((tensor) => tensor !== undefined);
  }

  operand(index: number): Tensor {
    return this.inputs[index] ?? this.refuse(`operand ${index} is missing`);
  }

  /** The values of a constant operand of integers, such as axes or sizes. */
  ints(index: number): readonly number[] {
    const values = constantValues(this.operand(index));
    return values ?? this.refuse(`operand ${index} must be a constant`);
  }

  /** The common dtype of these operands (of all, by default). */
  dtype(operands: readonly Tensor[] = this.present): DType {
    const [first] = operands;
    if (!first) return this.refuse('no operand');
    for (const other of operands) if (other.dtype !== first.dtype) this.refuseDtype('operands must have one dtype');
    return first.dtype;
  }

  floatDtype(operands: readonly Tensor[] = this.present): DType {
    const dtype = this.dtype(operands);
    if (!isFloat(dtype)) this.refuseDtype('operands must be floating point');
    return dtype;
  }

  requireDtype(index: number, ...allowed: readonly DType[]): void {
    if (!allowed.includes(this.operand(index).dtype))
      this.refuseDtype(`operand ${index} must be ${allowed.join(' or ')}`);
  }

  /** The axis counted from the front; refuses one that the shape does not have. */
  axis(axis: number, shape: readonly number[]): number {
    const positive = axis < 0 ? axis + shape.length : axis;
    if (!Number.isInteger(axis) || positive < 0 || positive >= shape.length)
      this.refuse(`axis ${axis} is out of range for rank ${shape.length}`);
    return positive;
  }

  /** The shape that operands of these shapes broadcast to (ONNX multidirectional, NumPy's rules). */
  broadcast(...shapes: readonly (readonly number[])[]): readonly number[] {
    return shapes.reduce((a, b) => broadcastShapes(a, b) ?? this.refuse('shapes do not broadcast'), []);
  }

  refuse(problem: string): never {
    throw onnxErrors.error('GVU_GRAPH_SHAPE', `'${this.name}' (${this.signature()}): ${problem}.`, {
      hint: 'Look at the shapes of its operands: reshape, transpose or slice them first.',
    });
  }

  refuseDtype(problem: string): never {
    throw onnxErrors.error('GVU_GRAPH_DTYPE', `'${this.name}' (${this.signature()}): ${problem}.`, {
      hint: 'Cast the operands first: nothing is promoted implicitly.',
    });
  }

  private signature(): string {
    return `${this.op} of ${this.inputs.map((tensor) => (tensor ? typeText(tensor) : 'nothing')).join(', ')}`;
  }
}

/** `float32[2, 3]`; a changing dimension prints as `?`. */
export function typeText({ dtype, shape }: TensorType): string {
  return `${dtype}[${shape.map((dim) => (dim === DYNAMIC ? '?' : dim)).join(', ')}]`;
}

export function broadcastShapes(a: readonly number[], b: readonly number[]): readonly number[] | undefined {
  const rank = Math.max(a.length, b.length);
  const shape: number[] = [];
  for (let i = 0; i < rank; i++) {
    const left = a[a.length - rank + i] ?? 1;
    const right = b[b.length - rank + i] ?? 1;
    if (left !== right && left !== 1 && right !== 1) return undefined;
    shape.push(left === 1 ? right : left);
  }
  return shape;
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** The values of a constant tensor as numbers, or undefined when it is not a constant. */
export function constantValues(tensor: Tensor): readonly number[] | undefined {
  return tensor.source.kind === 'constant' ? toNumbers(tensor.source.data) : undefined;
}

/** True when both shapes surely hold the same number of elements (changing dimensions must agree). */
export function sameSize(a: readonly number[], b: readonly number[]): boolean {
  const dynamic = (shape: readonly number[]) => shape.filter((dim) => dim === DYNAMIC).length;
  return dynamic(a) === dynamic(b) && Math.abs(sizeOf(a)) === Math.abs(sizeOf(b));
}
