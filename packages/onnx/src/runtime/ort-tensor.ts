/**
 * Tensor values as ONNX Runtime takes and gives them. Used in the worker only, which therefore imports nothing of
 * `tensor-data.ts` but types: that module brings `@gvu/core` with it, and every worker would load it.
 */
import { Tensor } from 'onnxruntime-node';
import { type DType, viewAs } from '../dtype.ts';
import type { TensorData } from '../tensor-data.ts';
import { ortType } from './check-program.ts';

/** Shares the memory. */
export function toOrt({ dtype, shape, data }: TensorData): Tensor {
  // The overload of `Tensor` for a type that is not known statically.
  const type: Tensor.Type = ortType(dtype);
  return new Tensor(type, data, shape);
}

/** Shares the memory. `dtype` says what the bits are: only it tells bfloat16 from uint16. */
export function fromOrt(dtype: DType, { type, dims, data }: Tensor): TensorData {
  if (!ArrayBuffer.isView(data)) throw new TypeError(`A tensor of type ${type} has no numbers.`);
  return tensorOver(dtype, dims, data);
}

/** Has the same shape and its own memory, with the same values. */
export function copyOf({ dtype, shape, data }: TensorData): TensorData {
  const bytes = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  return tensorOver(dtype, shape, { buffer: bytes, byteOffset: 0, length: data.length });
}

function tensorOver(
  dtype: DType,
  shape: readonly number[],
  { buffer, byteOffset, length }: { buffer: ArrayBufferLike; byteOffset: number; length: number },
): TensorData {
  // `viewAs` makes the array that belongs to the dtype, which TypeScript cannot see while the dtype is open.
  return { dtype, shape, data: viewAs(dtype, buffer, { byteOffset, length }) } as TensorData;
}
