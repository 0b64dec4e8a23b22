/** Programs for tests of the runtime, written node by node: they depend on no graph builder. */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataLocation as DataLocation,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import { type DType, dtypes } from '../src/dtype.ts';
import type { Program, ValueSpec } from '../src/runtime/program.ts';

export type TinyNode = readonly [
  op: string,
  inputs: string[],
  outputs: string[],
  ints?: Record<string, number>,
  name?: string,
];

export interface TinyInitializer extends ValueSpec {
  /** Values in memory, or where they lie in a file. */
  readonly data: Float32Array | { readonly location: string; readonly offset?: number; readonly length: number };
}

export interface TinyModel {
  readonly inputs: readonly ValueSpec[];
  readonly outputs: readonly ValueSpec[];
  readonly nodes: readonly TinyNode[];
  readonly initializers?: readonly TinyInitializer[];
  readonly opset?: number;
}

/** `value('x', 'float32', [2, -1])` */
export function value(name: string, dtype: DType, shape: readonly number[]): ValueSpec {
  return { name, dtype, shape };
}

export function tinyProgram(name: string, model: TinyModel): Program {
  return { name, model: tinyModel(model), inputs: model.inputs, outputs: model.outputs };
}

/** bfloat16 inputs and outputs are declared as uint16, as the runtime demands. */
export function tinyModel({ inputs, outputs, nodes, initializers = [], opset = 21 }: TinyModel): Uint8Array {
  const graph = create(GraphProtoSchema, {
    name: 'tiny',
    input: inputs.map(valueInfo),
    output: outputs.map(valueInfo),
    node: nodes.map(([opType, input, output, ints = {}, name = output.join()]) =>
      create(NodeProtoSchema, { opType, input, output, name, attribute: Object.entries(ints).map(intAttribute) }),
    ),
    initializer: initializers.map(initializer),
  });
  const opsetImport = [create(OperatorSetIdProtoSchema, { version: BigInt(opset) })];
  const irVersion = opset > 25 ? 13n : 10n;
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion, opsetImport, graph }));
}

function intAttribute([name, int]: [string, number]) {
  return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(int) });
}

function initializer({ name, dtype, shape, data }: TinyInitializer) {
  const type = { name, dims: shape.map(BigInt), dataType: dtypes[dtype].onnx };
  if (data instanceof Float32Array)
    return create(TensorProtoSchema, {
      ...type,
      rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice(),
    });
  const externalData = Object.entries(data).map(([key, entry]) =>
    create(StringStringEntryProtoSchema, { key, value: String(entry) }),
  );
  return create(TensorProtoSchema, { ...type, dataLocation: DataLocation.EXTERNAL, externalData });
}

function valueInfo({ name, dtype, shape }: ValueSpec) {
  const uint16 = 4;
  const dim = shape.map((length, axis) =>
    create(TensorShapeProto_DimensionSchema, {
      value: length < 0 ? { case: 'dimParam', value: `${name}.${axis}` } : { case: 'dimValue', value: BigInt(length) },
    }),
  );
  const tensor = create(TypeProto_TensorSchema, {
    elemType: dtype === 'bfloat16' ? uint16 : dtypes[dtype].onnx,
    shape: create(TensorShapeProtoSchema, { dim }),
  });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }),
  });
}

/** `y = x` times itself `count` times over [size, size]: as slow as wanted. */
export function slowProgram({ size = 512, count = 8 }: { size?: number; count?: number } = {}): Program {
  const outputs = Array.from({ length: count }, (_, i) => (i === count - 1 ? 'y' : `product${i}`));
  return tinyProgram('slow', {
    inputs: [value('x', 'float32', [size, size])],
    outputs: [value('y', 'float32', [size, size])],
    nodes: outputs.map((output, i): TinyNode => ['MatMul', [outputs[i - 1] ?? 'x', 'x'], [output]]),
  });
}

/** One step of descent: `loss = mean(w * w)`, `next = w - rate * gradient`. Fails when `rate` does not broadcast. */
export function stepProgram(size: number): Program {
  return tinyProgram('step', {
    inputs: [value('w', 'float32', [size]), value('rate', 'float32', [-1])],
    outputs: [value('loss', 'float32', []), value('next', 'float32', [size])],
    nodes: [
      ['Mul', ['w', 'w'], ['square']],
      ['ReduceMean', ['square'], ['loss'], { keepdims: 0 }],
      ['Mul', ['w', 'rate'], ['change'], {}, 'optimizer/change'],
      ['Sub', ['w', 'change'], ['next']],
    ],
  });
}

/** `y = x + amount` over [length]. */
export function addProgram(amount: number, length: number): Program {
  return tinyProgram(`add-${amount}`, {
    inputs: [value('x', 'float32', [length])],
    outputs: [value('y', 'float32', [length])],
    nodes: [['Add', ['x', 'amount'], ['y']]],
    initializers: [{ name: 'amount', dtype: 'float32', shape: [1], data: Float32Array.of(amount) }],
  });
}
