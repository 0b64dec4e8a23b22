/**
 * Graph -> ONNX model, as a `Program` that the runtime can load. Weights in files stay there (ONNX external data); the
 * protobuf itself is written by a library. Source: onnx.proto of the ONNX specification, IR version 10.
 */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataLocation as DataLocation,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import { type DType, dtypes } from '../dtype.ts';
import {
  type Attribute,
  type Block,
  DYNAMIC,
  type FileRegion,
  type Graph,
  isBlock,
  type Node,
  type Tensor,
  type TensorType,
} from '../graph/graph.ts';
import { verify } from '../graph/verify.ts';
import { requireCuda } from '../lowering/kernels.ts';
import type { Program } from '../runtime/program.ts';
import { type ExternalDataLayout, externalDataLayout } from '../safetensors/external-data.ts';
import { sizeOf, type TensorData, tensorData } from '../tensor-data.ts';
import { liveNodes, liveSources } from './live.ts';
import { programMemory } from './memory.ts';
import { executionOrder, outputOrder } from './order.ts';

const IR_VERSION = 10n;
/**
 * Optimisers of ONNX Runtime 1.30 that spoil float64 graphs: they make an operator that has no float64 kernel, or round a factor
 * to the float32 of an attribute.
 */
const DOUBLE_FAULTS = ['QuickGeluFusion', 'MatMulScaleFusion'];

/** The one field of an attribute that its type asks for. */
type AttributeFields = Pick<MessageInitShape<typeof AttributeProtoSchema>, 'i' | 's' | 'f' | 'g' | 't' | 'ints'>;

/**
 * Verifies the graph, drops what no output needs, and writes it. Throws GVU_GRAPH_INVALID with every problem found, and
 * GVU_GRAPH_DEVICE when a graph built for CUDA has nodes that no CUDA kernel serves.
 */
export function compile(graph: Graph): Program {
  verify(graph);
  if (graph.target === 'cuda') requireCuda(graph);
  return encode(graph, executionOrder);
}

/** Writes a graph as it is, or its main block in another order. For graphs that are sound (`compile` makes sure). */
export function encode(graph: Graph, order?: typeof executionOrder): Program {
  const nodes = liveNodes(graph.main);
  const sources = liveSources(graph.main, nodes);
  const stored = [...graph.weights.values(), ...graph.constants.values()].filter((tensor) => sources.has(tensor));
  const files = stored.flatMap((tensor) => externalRegion(tensor)?.file ?? []);
  const layout = files.length > 0 ? externalDataLayout([...new Set(files)]) : undefined;

  const proto = blockProto(graph.main, nodes, order);
  proto.initializer = stored.map((tensor) => initializerProto(tensor, layout));
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: 'gvu',
    opsetImport: [
      { domain: '', version: BigInt(graph.opset) },
      { domain: 'com.microsoft', version: 1n },
    ],
    graph: proto,
  });
  return {
    name: graph.name,
    model: toBinary(ModelProtoSchema, model),
    inputs: graph.main.inputs.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
    outputs: graph.main.outputs.map(({ name, tensor: { dtype, shape } }) => ({ name, dtype, shape })),
    ...(layout ? { externalFolder: layout.folder } : {}),
    memory: programMemory(graph),
    ...(computesIn('float64', nodes) ? { disabledOptimizers: DOUBLE_FAULTS } : {}),
  };
}

function computesIn(dtype: DType, nodes: ReadonlySet<Node>): boolean {
  return [...nodes].some((node) => node.outputs.some((tensor) => tensor.dtype === dtype));
}

/** Where ONNX Runtime shall map a weight from. A tensor without bytes it cannot map: that is embedded. */
function externalRegion({ source, shape }: Tensor): FileRegion | undefined {
  return source.kind === 'weight' && 'file' in source.data && sizeOf(shape) > 0 ? source.data : undefined;
}

function initializerProto(tensor: Tensor, layout: ExternalDataLayout | undefined): TensorProto {
  const { name, source } = tensor;
  const region = externalRegion(tensor);
  if (region) return externalProto(tensor, { ...region, location: layout?.locations.get(region.file) ?? '' });
  if ((source.kind === 'weight' || source.kind === 'constant') && 'data' in source.data)
    return dataProto(name, source.data);
  return dataProto(name, tensorData(tensor.dtype, tensor.shape, []));
}

function blockProto(block: Block, live: ReadonlySet<Node>, order?: typeof executionOrder): GraphProto {
  const isMain = block.parent === undefined;
  const nodes = block.nodes.filter((candidate) => live.has(candidate));
  const node = (order?.(nodes) ?? nodes).map((candidate) => nodeProto(candidate, live));
  // The program's outputs go by the names they were given; a body's go by position.
  if (isMain)
    for (const { name, tensor } of order ? outputOrder(block.outputs, nodes) : block.outputs)
      if (tensor.name !== name)
        node.push(create(NodeProtoSchema, { opType: 'Identity', name, input: [tensor.name], output: [name] }));
  return create(GraphProtoSchema, {
    name: block.name,
    node,
    input: block.inputs.map((tensor) => valueProto(tensor.name, tensor)),
    output: block.outputs.map(({ name, tensor }) => valueProto(isMain ? name : tensor.name, tensor)),
  });
}

function nodeProto(node: Node, live: ReadonlySet<Node>): NodeProto {
  return create(NodeProtoSchema, {
    opType: node.op,
    domain: node.domain,
    name: node.name,
    input: node.inputs.map((tensor) => tensor?.name ?? ''),
    output: node.outputs.map((tensor) => tensor.name),
    attribute: Object.entries(node.attributes).map(([name, value]) => attributeProto(name, value, live)),
  });
}

function attributeProto(name: string, value: Attribute, live: ReadonlySet<Node>): AttributeProto {
  const make = (type: AttributeType, fields: AttributeFields) =>
    create(AttributeProtoSchema, { ...fields, name, type });
  if (name === 'to' && typeof value === 'string' && Object.hasOwn(dtypes, value))
    return make(AttributeType.INT, { i: BigInt(dtypes[value as keyof typeof dtypes].onnx) });
  if (typeof value === 'number') return make(AttributeType.INT, { i: BigInt(value) });
  if (typeof value === 'string') return make(AttributeType.STRING, { s: new TextEncoder().encode(value) });
  if (isBlock(value)) return make(AttributeType.GRAPH, { g: blockProto(value, live) });
  if ('float' in value) return make(AttributeType.FLOAT, { f: value.float });
  if ('data' in value) return make(AttributeType.TENSOR, { t: dataProto(name, value) });
  return make(AttributeType.INTS, { ints: value.map(BigInt) });
}

function valueProto(name: string, { dtype, shape }: TensorType): ValueInfoProto {
  const dim = shape.map((length, axis) => ({
    value:
      length === DYNAMIC
        ? ({ case: 'dimParam', value: `${name}/axis_${axis}` } as const)
        : ({ case: 'dimValue', value: BigInt(length) } as const),
  }));
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: 'tensorType', value: { elemType: dtypes[dtype].onnx, shape: { dim } } } },
  });
}

function dataProto(name: string, { dtype, shape, data }: TensorData): TensorProto {
  const rawData = new Uint8Array(data.byteLength);
  rawData.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return create(TensorProtoSchema, { name, dataType: dtypes[dtype].onnx, dims: shape.map(BigInt), rawData });
}

function externalProto(tensor: Tensor, region: { location: string; offset: number; length: number }): TensorProto {
  return create(TensorProtoSchema, {
    name: tensor.name,
    dataType: dtypes[tensor.dtype].onnx,
    dims: tensor.shape.map(BigInt),
    dataLocation: DataLocation.EXTERNAL,
    externalData: [
      { key: 'location', value: region.location },
      { key: 'offset', value: String(region.offset) },
      { key: 'length', value: String(region.length) },
    ],
  });
}
