/**
 * Tensor values on the host: a dtype, a shape and a typed array in row-major order. This is what goes into and comes out
 * of a session, and what weight files hold. It is not the symbolic `Tensor` of a graph.
 */
import { allocate, type DType, type DTypeArrays, dtypes } from './dtype.ts';
import { onnxErrors } from './errors.ts';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './half.ts';

export type TensorData = { [D in DType]: TensorDataOf<D> }[DType];

export interface TensorDataOf<D extends DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: DTypeArrays[D];
}

/** The number of elements of a concrete shape; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Tensor values from plain numbers (or bigints), converted to `dtype`. Throws GVU_TENSOR_DATA when the count is not the shape's. */
export function tensorData<D extends DType>(
  dtype: D,
  shape: readonly number[],
  values: Iterable<number | bigint | boolean>,
): TensorDataOf<D> {
  const list = Array.from(values);
  if (list.length !== sizeOf(shape))
    throw onnxErrors.error('GVU_TENSOR_DATA', `${list.length} values for a tensor of shape [${shape.join(', ')}].`, {
      hint: `Give ${sizeOf(shape)} values.`,
    });
  const data = allocate(dtype, list.length);
  for (const [i, value] of list.entries()) {
    if (data instanceof BigInt64Array) data[i] = BigInt(value);
    else data[i] = encode(dtype, Number(value));
  }
  return { dtype, shape, data };
}

/** The elements as JavaScript numbers: half floats decoded, int64 converted (exact up to 2^53), bool as 0 or 1. */
export function toNumbers(tensor: TensorData): number[] {
  const decode = tensor.dtype === 'float16' ? fromFloat16 : tensor.dtype === 'bfloat16' ? fromBfloat16 : undefined;
  return Array.from<number | bigint, number>(tensor.data, (value) => (decode ? decode(Number(value)) : Number(value)));
}

function encode(dtype: DType, value: number): number {
  if (dtype === 'float16') return toFloat16(value);
  if (dtype === 'bfloat16') return toBfloat16(value);
  return value;
}

/** Throws GVU_TENSOR_DATA unless the typed array is of the dtype's kind and has as many elements as the shape says. */
export function checkTensorData(tensor: TensorData, name: string): void {
  const expected = allocate(tensor.dtype, 0).constructor;
  if (tensor.data.constructor !== expected)
    throw onnxErrors.error(
      'GVU_TENSOR_DATA',
      `'${name}' is ${tensor.dtype} but holds a ${tensor.data.constructor.name}.`,
      {
        hint: `Use a ${expected.name}.`,
      },
    );
  if (tensor.data.length !== sizeOf(tensor.shape))
    throw onnxErrors.error(
      'GVU_TENSOR_DATA',
      `'${name}' has ${tensor.data.length} elements, its shape [${tensor.shape.join(', ')}] needs ${sizeOf(tensor.shape)}.`,
      { hint: `Bytes expected: ${sizeOf(tensor.shape) * dtypes[tensor.dtype].bytes}.` },
    );
}
