/** ONNX models as other programs write them, put together by hand: what our own writer never produces. */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import { type DType, dtypes } from '../src/dtype.ts';
import { type TensorData, tensorBytes } from '../src/tensor-data.ts';

export type ForeignAttribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly graph: ForeignGraph }
  | TensorData;

export interface ForeignNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, ForeignAttribute>>;
  readonly domain?: string;
}

export interface ForeignValue {
  readonly dtype: DType;
  /** Absent: not declared. */
  readonly shape?: readonly (number | string)[];
}

export interface ForeignGraph {
  readonly name?: string;
  readonly inputs: Readonly<Record<string, ForeignValue>>;
  readonly outputs: Readonly<Record<string, ForeignValue>>;
  readonly nodes: readonly ForeignNode[];
  readonly initializers?: Readonly<Record<string, TensorData>>;
  /** Weights kept in files. */
  readonly external?: Readonly<Record<string, ForeignRegion>>;
}

/** What a model says of a weight outside of it. */
export interface ForeignRegion {
  readonly shape: readonly number[];
  readonly location: string;
  readonly offset?: number | string;
  readonly length?: number | string;
}

/** Serialises a graph as a model; `change` may spoil it before. */
export function foreignModel(
  graph: ForeignGraph,
  options: { opset?: number; irVersion?: number; change?: (graph: GraphProto) => void } = {},
): Uint8Array {
  const proto = graphProto(graph);
  options.change?.(proto);
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(options.irVersion ?? 8),
    producerName: 'pytorch',
    producerVersion: '2.4',
    opsetImport: [
      { domain: '', version: BigInt(options.opset ?? 17) },
      { domain: 'com.microsoft', version: 1n },
    ],
    graph: proto,
  });
  return toBinary(ModelProtoSchema, model);
}

/** A node with attributes: `node('Gemm', ['a', 'b'], ['c'], { transB: 1 })`. */
export function node(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, ForeignAttribute>> = {},
): ForeignNode {
  return { op, inputs, outputs, attributes };
}

function graphProto({ name = 'main_graph', inputs, outputs, nodes, ...stored }: ForeignGraph): GraphProto {
  const { initializers = {}, external = {} } = stored;
  return create(GraphProtoSchema, {
    name,
    input: Object.entries(inputs).map(([key, value]) => valueProto(key, value)),
    output: Object.entries(outputs).map(([key, value]) => valueProto(key, value)),
    node: nodes.map(nodeProto),
    initializer: [
      ...Object.entries(initializers).map(([key, data]) => tensorProto(key, data)),
      ...Object.entries(external).map(([key, region]) => externalProto(key, region)),
    ],
  });
}

function nodeProto({ op, inputs, outputs, attributes = {}, domain = '' }: ForeignNode): NodeProto {
  return create(NodeProtoSchema, {
    opType: op,
    domain,
    name: `/${op}_${outputs[0] ?? ''}`,
    input: [...inputs],
    output: [...outputs],
    attribute: Object.entries(attributes).map(([name, value]) => attributeProto(name, value)),
  });
}

function attributeProto(name: string, value: ForeignAttribute): AttributeProto {
  if (typeof value === 'number')
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
  if (typeof value === 'string')
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) });
  if ('float' in value) return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
  if ('floats' in value)
    return create(AttributeProtoSchema, { name, type: AttributeType.FLOATS, floats: [...value.floats] });
  if ('graph' in value)
    return create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g: graphProto(value.graph) });
  if ('dtype' in value)
    return create(AttributeProtoSchema, { name, type: AttributeType.TENSOR, t: tensorProto('', value) });
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) });
}

function tensorProto(name: string, data: TensorData): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: dtypes[data.dtype].onnx,
    dims: data.shape.map(BigInt),
    rawData: Uint8Array.from(tensorBytes(data)),
  });
}

function externalProto(name: string, { shape, ...region }: ForeignRegion): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: dtypes.float32.onnx,
    dims: shape.map(BigInt),
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: Object.entries(region).map(([key, value]) => ({ key, value: String(value) })),
  });
}

function valueProto(name: string, { dtype, shape }: ForeignValue): ValueInfoProto {
  const dim = shape?.map((length) => ({
    value:
      typeof length === 'string'
        ? ({ case: 'dimParam', value: length } as const)
        : ({ case: 'dimValue', value: BigInt(length) } as const),
  }));
  const tensorType = { elemType: dtypes[dtype].onnx, ...(dim ? { shape: { dim } } : {}) };
  return create(ValueInfoProtoSchema, { name, type: { value: { case: 'tensorType', value: tensorType } } });
}
