/**
 * Stored tensors of an ONNX model: their values, viewed in place where the bytes allow it, or where in which file they are.
 * Source: TensorProto in onnx.proto of the ONNX specification.
 */
import { TensorProto_DataLocation as DataLocation, type TensorProto } from 'onnx-buf';
import { allocate, type DType, dtypes, viewAs } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import { sizeOf, type TensorData } from '../tensor-data.ts';
import { dtypeOf, elementTypeName } from './element-types.ts';

/** More axes than any operator takes. */
const MAX_RANK = 64;

/** The values of a stored tensor, or the region of the file that holds them, named as the model names it. */
export type StoredTensor =
  | { readonly kind: 'values'; readonly data: TensorData }
  | {
      readonly kind: 'external';
      readonly dtype: DType;
      readonly shape: readonly number[];
      readonly location: string;
      readonly offset: number;
      readonly length: number;
    };

/** What makes the message contradict itself; undefined when it is sound. */
export function tensorProblem(proto: TensorProto): string | undefined {
  const { name, dims, rawData } = proto;
  if (!isShape(dims)) return `The stored tensor '${name}' has an impossible shape.`;
  const dtype = dtypeOf(proto.dataType);
  if (!dtype) return undefined;
  const count = sizeOf(dims.map(Number));
  const bytes = count * dtypes[dtype].bytes;
  if (proto.dataLocation === DataLocation.EXTERNAL) {
    const { location, offset, length } = regionOf(proto, bytes);
    return location === '' || !Number.isSafeInteger(offset) || offset < 0 || length !== bytes
      ? `'${name}' of ${bytes} bytes is said to be ${length} bytes at ${offset} of '${location}'.`
      : undefined;
  }
  const isRight = rawData.length > 0 ? rawData.length === bytes : valueList(proto, dtype).length === count;
  return isRight ? undefined : `The values of '${name}' are not ${count} of ${dtype}.`;
}

/** The values of a sound message, or where they are. Throws GVU_MODEL_UNSUPPORTED for a type that is unknown here. */
export function storedTensor(proto: TensorProto): StoredTensor {
  const dtype = dtypeOf(proto.dataType);
  if (!dtype)
    throw onnxErrors.error(
      'GVU_MODEL_UNSUPPORTED',
      `'${proto.name}' is of ${elementTypeName(proto.dataType)}, of which there are no tensors here.`,
      { hint: 'Export the model with other types, for example without quantisation.' },
    );
  const shape = proto.dims.map(Number);
  if (proto.dataLocation === DataLocation.EXTERNAL)
    return { kind: 'external', dtype, shape, ...regionOf(proto, sizeOf(shape) * dtypes[dtype].bytes) };
  const data = proto.rawData.length > 0 ? rawValues(proto.rawData, dtype) : listedValues(proto, dtype);
  // The array is the one that belongs to the dtype, which TypeScript cannot see while the dtype is open.
  return { kind: 'values', data: { dtype, shape, data } as TensorData };
}

/** Whether a tensor could have these dimensions. The rank comes first: a product of millions of factors takes minutes. */
function isShape(dims: readonly bigint[]): boolean {
  if (dims.length > MAX_RANK || dims.some((dim) => dim < 0n)) return false;
  return dims.reduce((size, dim) => size * dim, 1n) <= Number.MAX_SAFE_INTEGER;
}

/** A field of the place where a tensor's values are kept outside the model; undefined when they are inside. */
export function externalField(tensor: TensorProto, field: 'location' | 'offset' | 'length'): string | undefined {
  return tensor.externalData.find(({ key }) => key === field)?.value;
}

/** Offset and length may be left out: the start of the file, and what the tensor needs. */
function regionOf(proto: TensorProto, bytes: number): { location: string; offset: number; length: number } {
  return {
    location: externalField(proto, 'location') ?? '',
    offset: Number(externalField(proto, 'offset') ?? 0),
    length: Number(externalField(proto, 'length') ?? bytes),
  };
}

function rawValues(raw: Uint8Array, dtype: DType): TensorData['data'] {
  const size = dtypes[dtype].bytes;
  // A copy by the constructor: `slice` of a Buffer, which files are read into, is another view of the same bytes.
  const aligned = raw.byteOffset % size === 0 ? raw : new Uint8Array(raw);
  return viewAs(dtype, aligned.buffer, { byteOffset: aligned.byteOffset, length: raw.length / size });
}

/** The field for values one by one: 16-bit floats (their bits) and all integers below 64 bits share one. */
function valueList(proto: TensorProto, dtype: DType): readonly (number | bigint)[] {
  if (dtype === 'int64') return proto.int64Data;
  if (dtype === 'float64') return proto.doubleData;
  return dtype === 'float32' ? proto.floatData : proto.int32Data;
}

function listedValues(proto: TensorProto, dtype: DType): TensorData['data'] {
  const list = valueList(proto, dtype);
  const data = allocate(dtype, list.length);
  if (data instanceof BigInt64Array) data.set(list.map(BigInt));
  else data.set(list.map(Number));
  return data;
}
