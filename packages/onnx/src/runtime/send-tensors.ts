/** Tensor values made ready for the other thread. */
import { type TensorData, tensorFromBuffer } from '../tensor-data.ts';
import type { NamedTensor } from './protocol.ts';

export interface TransferOptions {
  /**
   * Move the memory instead of copying it: free at any size, but the whole `ArrayBuffer`s under the tensors are lost to the
   * caller, with every other view of them. Without it (the default) the values are copied, 3 to 5 ms for each 20 MB, and
   * the caller may use and change its arrays at once. Shared memory is always copied.
   */
  readonly transfer?: boolean;
}

export interface Shipment {
  readonly tensors: readonly NamedTensor[];
  readonly buffers: readonly ArrayBuffer[];
}

/** The values as they are now: later changes by the caller do not reach a request that still waits. */
export function shipment(tensors: readonly NamedTensor[], { transfer = false }: TransferOptions): Shipment {
  const sent = tensors.map(
    ([name, tensor]): NamedTensor => [name, transfer && isMovable(tensor.data.buffer) ? tensor : copied(tensor)],
  );
  return { tensors: sent, buffers: [...new Set(sent.map(([, { data }]) => data.buffer).filter(isMovable))] };
}

function isMovable(buffer: ArrayBufferLike): buffer is ArrayBuffer {
  return buffer instanceof ArrayBuffer;
}

function copied({ dtype, shape, data }: TensorData): TensorData {
  // Not `data.slice()`: for a Buffer that is another view of the same memory.
  const bytes = new Uint8Array(data.byteLength);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return tensorFromBuffer(dtype, shape, bytes.buffer);
}
