/** The names of ONNX's element types by number (TensorProto.DataType); those that tensors here can have go by their dtype. */
import { type DType, dtypes } from '../dtype.ts';

const others: readonly (readonly [number, string])[] = [
  [3, 'int8'],
  [4, 'uint16'],
  [5, 'int16'],
  [8, 'string'],
  [12, 'uint32'],
  [13, 'uint64'],
  [14, 'complex64'],
  [15, 'complex128'],
  [17, 'float8e4m3fn'],
  [18, 'float8e4m3fnuz'],
  [19, 'float8e5m2'],
  [20, 'float8e5m2fnuz'],
  [21, 'uint4'],
  [22, 'int4'],
  [23, 'float4e2m1'],
];

const dtypeOfNumber = new Map(Object.entries(dtypes).map(([dtype, { onnx }]) => [onnx, dtype as DType]));
const nameOfNumber = new Map<number, string>([...others, ...dtypeOfNumber]);

/** The dtype of an ONNX element type; undefined when there are no tensors of it here. */
export function dtypeOf(elementType: number): DType | undefined {
  return dtypeOfNumber.get(elementType);
}

export function elementTypeName(elementType: number): string {
  return nameOfNumber.get(elementType) ?? `element type ${elementType}`;
}
