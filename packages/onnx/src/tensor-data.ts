/**
 * Tensor values on the host: a dtype, a shape and a typed array in row-major order. This is what goes into and comes out
 * of a session, and what weight files hold. It is not the symbolic `Tensor` of a graph.
 */
import { allocate, type DType, type DTypeArrays, dtypes, type FloatDType, isFloat, viewAs } from './dtype.ts';
import { onnxErrors } from './errors.ts';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './half.ts';

/** The values of exactly these dtypes: for one dtype its `TensorDataOf`, for several their union. */
export type TensorDataFor<D extends DType> = { [K in D]: TensorDataOf<K> }[D];
export type TensorData = TensorDataFor<DType>;

export interface TensorDataOf<D extends DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: DTypeArrays[D];
}

/** The number of elements of a concrete shape; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/**
 * Tensor values from plain numbers (or bigints), converted to `dtype`: floats are rounded to the nearest, integers and
 * bool must be exact. Throws GVU_TENSOR_DATA when the count is not the shape's, or `dtype` cannot hold a value.
 */
export function tensorData<D extends DType>(
  dtype: D,
  shape: readonly number[],
  values: Iterable<number | bigint | boolean>,
): TensorDataFor<D> {
  checkDType(dtype);
  const list = Array.from(values);
  checkShape(shape, dtype);
  if (list.length !== sizeOf(shape))
    throw onnxErrors.error('GVU_TENSOR_DATA', `${list.length} values for a tensor of shape [${shape.join(', ')}].`, {
      hint: `Give ${sizeOf(shape)} values.`,
    });
  const data = allocate(dtype, list.length);
  for (const [i, value] of list.entries()) {
    const element = toElement(dtype, value);
    if (element === undefined)
      throw onnxErrors.error(
        'GVU_TENSOR_DATA',
        `Value ${i} of ${list.length} is ${String(value)}, which ${dtype} cannot hold.`,
        {
          hint: 'Round or clip the values before, or choose another dtype.',
        },
      );
    if (data instanceof BigInt64Array) data[i] = BigInt(element);
    else data[i] = Number(element);
  }
  return pair(dtype, shape, data);
}

/** Tensor values over the bytes of `buffer`, zero-copy. Throws GVU_TENSOR_DATA when it has too few or too many. */
export function tensorFromBuffer<D extends DType>(
  dtype: D,
  shape: readonly number[],
  buffer: ArrayBufferLike,
): TensorDataFor<D> {
  checkDType(dtype);
  checkShape(shape, dtype);
  const length = sizeOf(shape);
  if (buffer.byteLength !== length * dtypes[dtype].bytes)
    throw onnxErrors.error(
      'GVU_TENSOR_DATA',
      `${buffer.byteLength} bytes for a tensor ${dtype}[${shape.join(', ')}] of ${length * dtypes[dtype].bytes}.`,
    );
  return pair(dtype, shape, viewAs(dtype, buffer, { length }));
}

/** The bytes of a tensor's values, zero-copy, in the byte order of the machine: little-endian wherever ONNX Runtime runs. */
export function tensorBytes({ data }: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** The elements as JavaScript numbers: half floats decoded, int64 converted (exact up to 2^53), bool as 0 or 1. */
export function toNumbers(tensor: TensorData): number[] {
  const decode = tensor.dtype === 'float16' ? fromFloat16 : tensor.dtype === 'bfloat16' ? fromBfloat16 : undefined;
  return Array.from<number | bigint, number>(tensor.data, (value) => (decode ? decode(Number(value)) : Number(value)));
}

/** Throws GVU_TENSOR_DATA unless the typed array is of the dtype's kind and has as many elements as the shape says. */
export function checkTensorData(tensor: TensorData, name: string): void {
  if (typeof tensor !== 'object' || tensor === null)
    throw onnxErrors.error('GVU_TENSOR_DATA', `'${name}' is ${tensor}, not tensor values.`);
  checkDType(tensor.dtype);
  checkShape(tensor.shape, `'${name}'`);
  const expected = allocate(tensor.dtype, 0).constructor;
  // A Buffer is a Uint8Array, so the class itself is too narrow a test.
  if (!(tensor.data instanceof expected))
    throw onnxErrors.error(
      'GVU_TENSOR_DATA',
      `'${name}' is ${tensor.dtype} but holds a ${tensor.data.constructor.name}.`,
      { hint: `Use a ${expected.name}.` },
    );
  if (tensor.data.length !== sizeOf(tensor.shape))
    throw onnxErrors.error(
      'GVU_TENSOR_DATA',
      `'${name}' has ${tensor.data.length} elements, its shape [${tensor.shape.join(', ')}] needs ${sizeOf(tensor.shape)}.`,
      { hint: `Bytes expected: ${sizeOf(tensor.shape) * dtypes[tensor.dtype].bytes}.` },
    );
}

/** Callers without types can pass anything. */
function checkDType(dtype: string): void {
  if (typeof dtype === 'string' && Object.hasOwn(dtypes, dtype)) return;
  throw onnxErrors.error('GVU_TENSOR_DATA', `There is no dtype '${String(dtype)}'.`, {
    hint: `Use one of ${Object.keys(dtypes).join(', ')}.`,
  });
}

function checkShape(shape: readonly number[], name: string): void {
  if (Array.isArray(shape) && shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) return;
  throw onnxErrors.error('GVU_TENSOR_DATA', `The shape [${[shape].flat().join(', ')}] of ${name} is not of sizes.`, {
    hint: 'Give concrete dimensions: integers from 0.',
  });
}

/** What an integer dtype can hold, both ends included. */
const ranges: Readonly<Record<Exclude<DType, FloatDType>, readonly [bigint, bigint]>> = {
  bool: [0n, 1n],
  uint8: [0n, 255n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
};

/** `value` as an array of `dtype` stores it; undefined when it cannot. */
function toElement(dtype: DType, value: number | bigint | boolean): number | bigint | undefined {
  // Callers without types can pass anything, of which Number() would make NaN or 0.
  if (!['number', 'bigint', 'boolean'].includes(typeof value)) return undefined;
  if (dtype === 'float16') return toFloat16(Number(value));
  if (dtype === 'bfloat16') return toBfloat16(Number(value));
  if (isFloat(dtype)) return Number(value);
  if (typeof value === 'number' && !Number.isInteger(value)) return undefined;
  const integer = BigInt(value);
  const [least, greatest] = ranges[dtype];
  return integer >= least && integer <= greatest ? integer : undefined;
}

/** Joins what only the caller knows to belong together: `data` is an array for `dtype`. */
function pair<D extends DType>(dtype: D, shape: readonly number[], data: DTypeArrays[D]): TensorDataFor<D> {
  // One member of the union, which TypeScript cannot see while D is open.
  return { dtype, shape, data } as unknown as TensorDataFor<D>;
}
