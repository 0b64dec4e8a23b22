/**
 * Element types of tensors: their names, sizes, ONNX numbers, and the typed array that holds each in JavaScript.
 * float16 and bfloat16 live in `Uint16Array` as raw bits (Node 20 has no Float16Array); bool in `Uint8Array` as 0 or 1.
 */

export interface DTypeArrays {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

export type DType = keyof DTypeArrays;
export type FloatDType = 'float32' | 'float64' | 'float16' | 'bfloat16';
/** Any array that can hold the elements of a tensor. */
export type TensorArray = DTypeArrays[DType];

interface DTypeInfo {
  readonly bytes: number;
  /** TensorProto.DataType of the ONNX specification. */
  readonly onnx: number;
  readonly float: boolean;
}

export const dtypes: Readonly<Record<DType, DTypeInfo>> = {
  float32: { bytes: 4, onnx: 1, float: true },
  uint8: { bytes: 1, onnx: 2, float: false },
  int32: { bytes: 4, onnx: 6, float: false },
  int64: { bytes: 8, onnx: 7, float: false },
  bool: { bytes: 1, onnx: 9, float: false },
  float16: { bytes: 2, onnx: 10, float: true },
  float64: { bytes: 8, onnx: 11, float: true },
  bfloat16: { bytes: 2, onnx: 16, float: true },
};

const arrays: {
  readonly [D in DType]: new (
    buffer: ArrayBufferLike,
    byteOffset: number,
    length: number,
  ) => DTypeArrays[D];
} = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

export function isFloat(dtype: DType): dtype is FloatDType {
  return dtypes[dtype].float;
}

/** A typed array of `dtype` over `length` elements of `buffer` from `byteOffset` (which must be aligned), zero-copy. */
export function viewAs<D extends DType>(
  dtype: D,
  buffer: ArrayBufferLike,
  { byteOffset = 0, length }: { byteOffset?: number; length: number },
): DTypeArrays[D] {
  return new arrays[dtype](buffer, byteOffset, length);
}

/** A new zeroed typed array of `length` elements of `dtype`. */
export function allocate<D extends DType>(dtype: D, length: number): DTypeArrays[D] {
  return viewAs(dtype, new ArrayBuffer(length * dtypes[dtype].bytes), { length });
}
