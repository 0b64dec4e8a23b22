/**
 * A node of a foreign model as an import rule sees it: operands that are tensors of our graph by now, attributes with the
 * defaults of ONNX, and ways to append operators in its name. An attribute that no rule has read is one whose meaning would
 * be lost: `unreadAttributes` tells.
 */
import { AttributeProto_AttributeType as AttributeType, type GraphProto, type NodeProto } from 'onnx-buf';
import type { DType } from '../../dtype.ts';
import { onnxErrors } from '../../errors.ts';
import { constant, DYNAMIC, emit, type Graph, scope, type Tensor } from '../../graph/graph.ts';
import { sameShape, typeText } from '../../graph/specs/spec.ts';
import type { OpAttributes, OpName } from '../../graph/specs.ts';
import { type TensorData, toNumbers } from '../../tensor-data.ts';
import { storedTensor } from '../tensor-proto.ts';
import { fold } from './fold.ts';

/** Turns a node into operators of our table; gives its outputs, those that the rule does not make left undefined. */
export type ImportRule = (node: ImportNode) => readonly (Tensor | undefined)[];

/** Elements of a constant that a rule makes up, such as a mask of 8192 x 8192. */
const MAX_CONSTANT = 2 ** 26;

interface Surroundings {
  readonly graph: Graph;
  /** Version of the node's operator set. */
  readonly opset: number;
  readonly inputs: readonly (Tensor | undefined)[];
  /** Whether the block that the node stands in gives away its first output. */
  readonly isResult: boolean;
  /** Imports a body into the block that is being built; its inputs are bound to `given`. */
  readonly importBody: (body: GraphProto, given: readonly Tensor[]) => readonly Tensor[];
}

export class ImportNode {
  readonly op: string;
  readonly graph: Graph;
  readonly opset: number;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly isResult: boolean;
  readonly importBody: Surroundings['importBody'];
  /** How many outputs the model uses. */
  readonly outputCount: number;
  private readonly proto: NodeProto;
  private readonly read = new Set<string>();

  constructor(proto: NodeProto, { graph, opset, inputs, isResult, importBody }: Surroundings) {
    this.op = proto.opType;
    this.graph = graph;
    this.opset = opset;
    this.inputs = inputs;
    this.isResult = isResult;
    this.importBody = importBody;
    this.outputCount = proto.output.findLastIndex((name) => name !== '') + 1;
    this.proto = proto;
  }

  get unreadAttributes(): readonly string[] {
    return this.proto.attribute.map(({ name }) => name).filter((name) => !this.read.has(name));
  }

  operand(index: number): Tensor {
    return this.inputs[index] ?? this.refuse(`operand ${index} is missing`);
  }

  /** The values of an operand that has to be known while the graph is built; undefined when the operand is absent. */
  knownValues(index: number): readonly number[] | undefined {
    const { source, name } = this.inputs[index] ?? {};
    if (!source || !name) return undefined;
    if ((source.kind === 'constant' || source.kind === 'weight') && 'data' in source.data)
      return toNumbers(source.data);
    return this.refuse(`operand ${index} ('${name}') is not known before the model runs`);
  }

  int(name: string, fallback: number): number {
    const { i } = this.attribute(name, AttributeType.INT) ?? {};
    return i === undefined ? fallback : Number(i);
  }

  flag(name: string, fallback: 0 | 1): 0 | 1 {
    return this.int(name, fallback) ? 1 : 0;
  }

  float(name: string, fallback: number): number {
    return this.optionalFloat(name) ?? fallback;
  }

  optionalFloat(name: string): number | undefined {
    return this.attribute(name, AttributeType.FLOAT)?.f;
  }

  string(name: string, fallback: string): string {
    const { s } = this.attribute(name, AttributeType.STRING) ?? {};
    return s ? new TextDecoder().decode(s) : fallback;
  }

  ints(name: string): readonly number[] | undefined {
    return this.attribute(name, AttributeType.INTS)?.ints.map(Number);
  }

  /** One or several integers, also those that numbers do not hold exactly. */
  bigints(name: string): readonly bigint[] | undefined {
    const found = this.attribute(name, AttributeType.INT, AttributeType.INTS);
    return found?.type === AttributeType.INT ? [found.i] : found?.ints;
  }

  floats(name: string): readonly number[] | undefined {
    return this.attribute(name, AttributeType.FLOATS)?.floats;
  }

  tensor(name: string): TensorData | undefined {
    const { t } = this.attribute(name, AttributeType.TENSOR) ?? {};
    if (!t) return undefined;
    const stored = storedTensor(t);
    return stored.kind === 'values' ? stored.data : this.refuse(`attribute '${name}' lies in another file`);
  }

  body(name: string): GraphProto {
    return this.attribute(name, AttributeType.GRAPH)?.g ?? this.refuse(`attribute '${name}' is missing`);
  }

  /** Accepts an attribute that only changes what does not matter here. */
  ignore(...names: readonly string[]): void {
    for (const name of names) this.read.add(name);
  }

  /** Appends the operator that stands for this node, under the names of the model; none when the result is known already. */
  emit<Op extends OpName>(
    op: Op,
    inputs: readonly (Tensor | undefined)[],
    attributes: OpAttributes[Op],
  ): readonly Tensor[] {
    const { graph } = this;
    const names = this.proto.output.map((name) => (name === '' ? undefined : name));
    return fold(graph, op, inputs, attributes) ?? emit(graph, op, inputs, { attributes, names });
  }

  /** Appends an operator on the way to the result; none when what it gives is known already. */
  step<Op extends OpName>(op: Op, inputs: readonly (Tensor | undefined)[], attributes: OpAttributes[Op]): Tensor {
    const { graph } = this;
    const known = fold(graph, op, inputs, attributes)?.[0];
    return known ?? scope(graph, this.scopeName, () => emit(graph, op, inputs, { attributes })[0]);
  }

  /** Appends several operators, in a scope called like the first output. */
  compose(build: () => Tensor): readonly Tensor[] {
    return [scope(this.graph, this.scopeName, build)];
  }

  /** The result under another shape, without a node when nothing changes. */
  reshape(x: Tensor, target: readonly number[]): readonly Tensor[] {
    return sameShape(x.shape, target) ? [x] : this.emit('Reshape', [x, this.list(target)], reshapeAttributes(target));
  }

  /** An operand under another shape. */
  reshaped(x: Tensor, target: readonly number[]): Tensor {
    return sameShape(x.shape, target) ? x : this.step('Reshape', [x, this.list(target)], reshapeAttributes(target));
  }

  /** An operand in another dtype. */
  cast(x: Tensor, to: DType): Tensor {
    return x.dtype === to ? x : this.step('Cast', [x], { to });
  }

  /** A constant list of integers. */
  list(values: readonly number[]): Tensor {
    return constant(this.graph, 'int64', [values.length], values);
  }

  /** The shape of an operand, all of it known. */
  knownShape(x: Tensor): readonly number[] {
    return x.shape.includes(DYNAMIC) ? this.refuse(`a length of '${x.name}' changes from run to run`) : x.shape;
  }

  /** Refuses to make constants of more elements than any sensible model has. */
  requireModest(elements: number): void {
    if (!(elements <= MAX_CONSTANT)) this.refuse(`a constant of ${elements} elements is too large`);
  }

  /** An axis counted from the front, of a tensor of this rank. */
  axis(axis: number, rank: number): number {
    const positive = axis < 0 ? axis + rank : axis;
    return positive >= 0 && positive < rank ? positive : this.refuse(`axis ${axis} is out of range for rank ${rank}`);
  }

  refuse(problem: string): never {
    const operands = this.inputs.map((tensor) => (tensor ? typeText(tensor) : 'nothing')).join(', ');
    const name = this.proto.name || this.proto.output[0];
    throw onnxErrors.error('GVU_MODEL_UNSUPPORTED', `'${name}' (${this.op} of ${operands}): ${problem}.`, {
      hint: 'Export the model in another way, or without this part.',
      details: { node: name, op: this.op },
    });
  }

  private get scopeName(): string {
    return this.proto.output[0] || this.op;
  }

  private attribute(name: string, ...types: readonly AttributeType[]): NodeProto['attribute'][number] | undefined {
    this.read.add(name);
    const found = this.proto.attribute.find((attribute) => attribute.name === name);
    if (found && !types.includes(found.type)) return this.refuse(`attribute '${name}' is of type ${found.type}`);
    return found;
  }
}

function reshapeAttributes(target: readonly number[]): OpAttributes['Reshape'] {
  return target.includes(0) ? { allowzero: 1 } : {};
}
