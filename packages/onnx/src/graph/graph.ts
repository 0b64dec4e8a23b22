/**
 * The graph: static single assignment over tensors of known shape and dtype, in the operators of ONNX.
 *
 * A graph owns blocks: the main one, and one for every body of a `Loop` or branch of an `If`. Operators are appended by
 * plain functions (`add(x, y)`, see `ops/`) to the block that is being built; where that is follows from the nesting of
 * callbacks, never from an argument. Output types come from one table of inference rules (`graph/specs/`), which the
 * verifier runs again. This file knows nothing of gradients, devices or files.
 */
import { createHash } from 'node:crypto';
import type { DType } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import { checkTensorData, type TensorData, tensorData } from '../tensor-data.ts';
import { inferOutputs, type OpAttributes, type OpName } from './specs.ts';

/** A dimension that changes between iterations, such as the length of a growing cache inside a `Loop`. */
export const DYNAMIC = -1;

/** What the operators are chosen for: see `docs/decisions/0003-lowering.md`. `reference` uses plain standard operators only. */
export type Target = 'cpu' | 'cuda' | 'reference';

export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** A file region that holds the raw little-endian values of a weight; given to ONNX Runtime as external data. */
export interface FileRegion {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

export type TensorSource =
  | { readonly kind: 'input' }
  | { readonly kind: 'constant'; readonly data: TensorData }
  | { readonly kind: 'weight'; readonly data: TensorData | FileRegion }
  | { readonly kind: 'node'; readonly node: Node };

/** A value of the graph: it is produced once, by an input, a constant, a weight or a node. */
export interface Tensor extends TensorType {
  readonly name: string;
  readonly block: Block;
  readonly source: TensorSource;
}

export interface FloatAttribute {
  readonly float: number;
}
export type Attribute = number | string | readonly number[] | FloatAttribute | TensorData | Block;
export type Attributes = Readonly<Record<string, Attribute>>;

/** One operator. `inputs` may have holes where ONNX lets an optional input be absent. */
export interface Node<Op extends string = string> {
  readonly op: Op;
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes: Op extends OpName ? OpAttributes[Op] : Attributes;
  readonly outputs: readonly Tensor[];
  readonly block: Block;
  /** Overrides differentiation: null lets no gradient through, a tensor receives the output's gradient unchanged. */
  readonly gradientTo?: Tensor | null;
  /** The checkpointed segment this node belongs to (see `checkpoint`). */
  readonly segment?: number;
}

/** A list of nodes in execution order. Bodies of control flow see their own values and those of the blocks around them. */
export interface Block {
  readonly kind: 'block';
  readonly graph: Graph;
  readonly parent: Block | undefined;
  readonly name: string;
  readonly inputs: Tensor[];
  readonly nodes: Node[];
  readonly outputs: { readonly name: string; readonly tensor: Tensor }[];
}

export interface Graph {
  readonly name: string;
  readonly target: Target;
  /** Version of the default ONNX operator set. */
  readonly opset: number;
  readonly main: Block;
  readonly weights: Map<string, Tensor>;
  readonly constants: Map<string, Tensor>;
  /** The block that operators are appended to now, the scope of names, and the checkpoint segment; moved by callbacks only. */
  readonly cursor: { block: Block; scope: string; segment: number | undefined; segments: number };
  readonly names: Map<string, number>;
}

const opsets: Readonly<Record<Target, number>> = { cpu: 23, cuda: 18, reference: 18 };

export function createGraph(options: { name?: string; target?: Target } = {}): Graph {
  const { name = 'graph', target = 'cpu' } = options;
  // The main block and its graph refer to each other: the block is completed before anybody can see it.
  const main = { kind: 'block', parent: undefined, name, inputs: [], nodes: [], outputs: [] } as unknown as Block & {
    graph: Graph;
  };
  const graph: Graph = {
    name,
    target,
    opset: opsets[target],
    main,
    weights: new Map(),
    constants: new Map(),
    cursor: { block: main, scope: '', segment: undefined, segments: 0 },
    names: new Map(),
  };
  main.graph = graph;
  return graph;
}

/** A value that every run must feed. Names are the interface of the program: they are used as given. */
export function input(graph: Graph, name: string, { dtype, shape }: TensorType): Tensor {
  claimName(graph, name);
  const tensor: Tensor = { name, dtype, shape, block: graph.main, source: { kind: 'input' } };
  graph.main.inputs.push(tensor);
  return tensor;
}

/** A tensor whose values are fixed in the program: given in memory, or a region of a file that stays where it is. */
export function weight(graph: Graph, name: string, source: TensorData | (TensorType & FileRegion)): Tensor {
  claimName(graph, name);
  const { dtype, shape } = source;
  if ('data' in source) checkTensorData(source, name);
  const data = 'data' in source ? source : { file: source.file, offset: source.offset, length: source.length };
  const tensor: Tensor = { name, dtype, shape, block: graph.main, source: { kind: 'weight', data } };
  graph.weights.set(name, tensor);
  return tensor;
}

/** A constant. Equal constants of a graph are one tensor, so they may be asked for freely. */
export function constant(
  graph: Graph,
  dtype: DType,
  shape: readonly number[],
  values: Iterable<number | bigint | boolean>,
): Tensor {
  return constantData(graph, tensorData(dtype, shape, values));
}

/** A constant from ready tensor values (see `constant`). `name` is used when the graph has no equal constant yet. */
export function constantData(graph: Graph, data: TensorData, options: { name?: string } = {}): Tensor {
  const { dtype, shape } = data;
  checkTensorData(data, 'constant');
  const bytes = new Uint8Array(data.data.buffer, data.data.byteOffset, data.data.byteLength);
  const key = `${dtype}[${shape}]${createHash('sha256').update(bytes).digest('base64')}`;
  const known = graph.constants.get(key);
  if (known) return known;
  const name = uniqueName(graph, options.name ?? `constant/${dtype}_${shape.join('x') || 'scalar'}`);
  // A copy: the graph is keyed by what the values are now, whatever the caller does with his array.
  const own = { ...data, data: data.data.slice() } as TensorData;
  const tensor: Tensor = { name, dtype, shape, block: graph.main, source: { kind: 'constant', data: own } };
  graph.constants.set(key, tensor);
  return tensor;
}

/** Declares a result of the program under a name, which may be the one that a node's result has. */
export function output(name: string, tensor: Tensor): void {
  const { block } = tensor.block.graph.cursor;
  if (block.parent !== undefined)
    throw onnxErrors.error('GVU_GRAPH_SCOPE', `The output '${name}' is declared inside the body '${block.name}'.`, {
      hint: 'Return the tensor from the body, and declare what comes out of it.',
    });
  blockOutput(name, tensor);
}

/** Declares a result of the block that is being built: of the program, or of a body of control flow. */
export function blockOutput(name: string, tensor: Tensor): void {
  const { block } = tensor.block.graph.cursor;
  if (block.outputs.some((other) => other.name === name))
    throw onnxErrors.error('GVU_GRAPH_NAME', `Two outputs of '${block.name}' are called '${name}'.`, {
      hint: 'Give each output its own name.',
    });
  const isOwnName = tensor.name === name && tensor.source.kind === 'node';
  if (block.parent === undefined && !isOwnName) claimName(block.graph, name);
  block.outputs.push({ name, tensor });
}

/** Names of the nodes that `build` appends are prefixed with `name/`; the prefixes nest. */
export function scope<T>(graph: Graph, name: string, build: () => T): T {
  const { cursor } = graph;
  const outer = cursor.scope;
  cursor.scope = `${outer}${name}/`;
  try {
    return build();
  } finally {
    cursor.scope = outer;
  }
}

/** Builds a block inside the current one: `build` appends to it. Used by `loop` and `branch` only. */
export function buildBlock(graph: Graph, name: string, build: (block: Block) => void): Block {
  const { cursor } = graph;
  const outer = cursor.block;
  const block: Block = {
    kind: 'block',
    graph,
    parent: outer,
    name: uniqueName(graph, `${cursor.scope}${name}`),
    inputs: [],
    nodes: [],
    outputs: [],
  };
  cursor.block = block;
  try {
    build(block);
  } finally {
    cursor.block = outer;
  }
  return block;
}

/** An input of a block under construction: an iteration counter or a carried value. */
export function blockInput(block: Block, name: string, type: TensorType): Tensor {
  const { dtype, shape } = type;
  const tensor: Tensor = {
    name: uniqueName(block.graph, `${block.name}/${name}`),
    dtype,
    shape,
    block,
    source: { kind: 'input' },
  };
  block.inputs.push(tensor);
  return tensor;
}

/**
 * Appends a node; the types of its outputs are inferred. This is the only way a node comes to be. It and its first output
 * are called after the operator, or by `names`, one for each output.
 */
export function emit<Op extends OpName>(
  graph: Graph,
  op: Op,
  inputs: readonly (Tensor | undefined)[],
  options: { attributes: OpAttributes[Op]; gradientTo?: Tensor | null; names?: readonly (string | undefined)[] },
): readonly [Tensor, ...Tensor[]] {
  const { cursor } = graph;
  for (const tensor of inputs)
    if (tensor && tensor.block.graph !== graph)
      throw onnxErrors.error('GVU_GRAPH_SCOPE', `'${tensor.name}' belongs to another graph than '${graph.name}'.`, {
        hint: 'Build every operand in one graph.',
      });
  const { names = [] } = options;
  const name = uniqueName(graph, `${cursor.scope}${names[0] ?? op}`);
  const { domain, types } = inferOutputs(op, inputs, options.attributes, { name, opset: graph.opset });
  const outputs: Tensor[] = [];
  const node: Node<Op> = {
    op,
    domain,
    name,
    inputs,
    // Op is a name of the table here, so the conditional type of the field is its attributes.
    attributes: options.attributes as Node<Op>['attributes'],
    outputs,
    block: cursor.block,
    ...(options.gradientTo === undefined ? {} : { gradientTo: options.gradientTo }),
    ...(cursor.segment === undefined ? {} : { segment: cursor.segment }),
  };
  for (const [i, type] of types.entries())
    outputs.push({
      name: i === 0 ? name : uniqueName(graph, names[i] === undefined ? `${name}:${i}` : `${cursor.scope}${names[i]}`),
      ...type,
      block: cursor.block,
      source: { kind: 'node', node },
    });
  cursor.block.nodes.push(node);
  const [first, ...rest] = outputs;
  if (!first) throw onnxErrors.error('GVU_GRAPH_INVALID', `'${name}' has no output.`);
  return [first, ...rest];
}

/** The graph that the first tensor among the operands belongs to. */
export function graphOf(...operands: readonly unknown[]): Graph {
  for (const operand of operands) if (isTensor(operand)) return operand.block.graph;
  throw onnxErrors.error('GVU_GRAPH_SCOPE', 'No operand is a tensor.', {
    hint: 'Use `constant` for a value that stands alone.',
  });
}

export function isTensor(value: unknown): value is Tensor {
  return typeof value === 'object' && value !== null && 'source' in value && 'block' in value;
}

/** A node's attribute or an operator's operand that is a block (a body of control flow). */
export function isBlock(value: Attribute | undefined): value is Block {
  return typeof value === 'object' && 'kind' in value && value.kind === 'block';
}

/** `base` itself the first time, then `base_1`, `base_2` …: stable for a given building order. */
function uniqueName(graph: Graph, base: string): string {
  for (;;) {
    const count = graph.names.get(base) ?? 0;
    graph.names.set(base, count + 1);
    const name = count === 0 ? base : `${base}_${count}`;
    if (count === 0 || !graph.names.has(name)) {
      if (count > 0) graph.names.set(name, 1);
      return name;
    }
  }
}

function claimName(graph: Graph, name: string): void {
  if (name === '' || graph.names.has(name))
    throw onnxErrors.error(
      'GVU_GRAPH_NAME',
      name === '' ? 'A tensor has an empty name.' : `'${name}' is declared twice.`,
      {
        hint: 'Inputs, weights and outputs need names of their own.',
      },
    );
  graph.names.set(name, 1);
}
