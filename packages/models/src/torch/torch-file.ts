/**
 * Files of `torch.save` as checkpoints: a zip archive of one pickle and the bytes of each storage. Tensors that lie in their storage
 * row by row are used where they are, like those of safetensors; views in another order are copied when they are read.
 */
import { open, realpath, stat } from 'node:fs/promises';
import { isGvuError } from '@gvu/core';
import {
  type Checkpoint,
  cast,
  dtypes,
  type FileDType,
  type FloatDType,
  type Graph,
  type SafetensorsEntry,
  sizeOf,
  type Tensor,
  type TensorData,
  tensorFromBuffer,
  weight,
} from '@gvu/onnx';
import { checkpointWeights, checkWeights } from '../checkpoint-weights.ts';
import { isKind, type PickledTensor, type PickledValue, pickleFault, readPickle } from './pickle.ts';
import { dataOffset, readAt, readZipDirectory, type ZipEntry, zipFault } from './zip-directory.ts';

export interface TorchEntry extends SafetensorsEntry {
  /** Set where the elements do not lie row by row from `offset` on: the distances of neighbours, in elements. */
  readonly strides?: readonly number[];
}

/** A file of tensors, and their values where they cannot be used in place. */
export interface TorchFile extends Checkpoint {
  readonly tensors: ReadonlyMap<string, TorchEntry>;
}

/** Storage classes that are tensors here, and how safetensors calls their dtype. */
const storages: Readonly<Record<string, FileDType>> = {
  'torch.FloatStorage': 'F32',
  'torch.DoubleStorage': 'F64',
  'torch.HalfStorage': 'F16',
  'torch.BFloat16Storage': 'BF16',
  'torch.LongStorage': 'I64',
  'torch.IntStorage': 'I32',
  'torch.ShortStorage': 'I16',
  'torch.CharStorage': 'I8',
  'torch.ByteStorage': 'U8',
  'torch.BoolStorage': 'BOOL',
};

/** Bytes of an element, and the dtype that holds it here. */
const elements: Readonly<Partial<Record<FileDType, { bytes: number; dtype: SafetensorsEntry['dtype'] }>>> = {
  F32: { bytes: 4, dtype: 'float32' },
  F64: { bytes: 8, dtype: 'float64' },
  F16: { bytes: 2, dtype: 'float16' },
  BF16: { bytes: 2, dtype: 'bfloat16' },
  I64: { bytes: 8, dtype: 'int64' },
  I32: { bytes: 4, dtype: 'int32' },
  I16: { bytes: 2, dtype: undefined },
  I8: { bytes: 1, dtype: undefined },
  U8: { bytes: 1, dtype: 'uint8' },
  BOOL: { bytes: 1, dtype: 'bool' },
};

const MAX_PICKLE_BYTES = 2 ** 26;
/** Of dictionaries within dictionaries. */
const MAX_DEPTH = 32;

/**
 * Opens a file and lists its tensors by their place in its dictionaries, joined by dots; a `state_dict.` that all of them begin with
 * is left out. Throws GVU_TORCH_ZIP, GVU_TORCH_PICKLE.
 */
export async function openTorch(path: string): Promise<TorchFile> {
  try {
    const file = await realpath(path);
    if (!(await stat(file)).isFile()) throw zipFault(path, 'it is not a regular file');
    await using handle = await open(file, 'r');
    const start = (await readAt(handle, { offset: 0, end: 4 })).toString('latin1');
    if (start !== 'PK\x03\x04')
      throw zipFault(
        path,
        start.startsWith('\x80') ? 'it is of the format before PyTorch 1.6' : 'it is no zip archive',
      );
    const entries = await readZipDirectory(handle, path);
    const pickle = [...entries.values()].find(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
    if (!pickle || pickle.length > MAX_PICKLE_BYTES) throw zipFault(path, 'it has no data.pkl of a usable size');
    const root = pickle.name.slice(0, -'data.pkl'.length);
    const bytesOf = async (entry: ZipEntry) => {
      const offset = await dataOffset(handle, entry, path);
      return readAt(handle, { offset, end: offset + entry.length });
    };
    const order = entries.get(`${root}byteorder`);
    if (order && order.length < 16 && (await bytesOf(order)).toString('latin1') !== 'little')
      throw zipFault(path, 'its bytes are in the order of other machines');
    const found = tensorsOf(readPickle(await bytesOf(pickle), path), path);
    const offsets = new Map<string, number>();
    const tensors = new Map<string, TorchEntry>();
    for (const [name, tensor] of found) {
      const { key } = tensor.storage;
      const entry = entries.get(`${root}data/${key}`);
      if (!entry) throw zipFault(path, `the storage '${key}' of '${name}' is missing`);
      const offset = offsets.get(key) ?? (await dataOffset(handle, entry, path));
      offsets.set(key, offset);
      tensors.set(name, torchEntry(tensor, { name, path, file, offset, length: entry.length }));
    }
    return { files: [], tensors };
  } catch (cause) {
    if (isGvuError(cause)) throw cause;
    throw zipFault(path, cause instanceof Error ? cause.message : String(cause));
  }
}

/** The values of a tensor. */
export async function readTorchTensor(entry: TorchEntry): Promise<TensorData> {
  const { file, offset, length, shape, strides, dtype, name } = entry;
  if (!dtype) throw pickleFault(file, `no values here can hold '${name}' (${entry.fileDType})`);
  await using handle = await open(file, 'r');
  const bytes = await readAt(handle, { offset, end: offset + length });
  if (bytes.length < length) throw zipFault(file, `it ended within '${name}'`);
  const size = dtypes[dtype].bytes;
  if (!strides) return tensorFromBuffer(dtype, shape, bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + length));
  const values = Buffer.alloc(sizeOf(shape) * size);
  for (let i = 0; i < values.length / size; i++) {
    let [left, place] = [i, 0];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const dim = shape[axis] ?? 1;
      place += (left % dim) * (strides[axis] ?? 0);
      left = Math.floor(left / dim);
    }
    bytes.copy(values, i * size, place * size, (place + 1) * size);
  }
  return tensorFromBuffer(dtype, shape, values.buffer.slice(values.byteOffset, values.byteOffset + values.length));
}

/**
 * A source for `createModules` like `checkpointWeights`, of a file of any layout: views in another order are read now and kept.
 * `expected` are the tensors that will be asked for. Throws GVU_MODEL_WEIGHTS.
 */
export async function torchWeights(
  file: TorchFile,
  expected: readonly { readonly name: string; readonly shape: readonly number[] }[],
): Promise<(graph: Graph, dtype?: FloatDType) => (name: string, shape: readonly number[]) => Tensor> {
  checkWeights(file, expected);
  const strided = expected.flatMap(({ name }) => {
    const entry = file.tensors.get(name);
    return entry?.strides ? [entry] : [];
  });
  const copies = new Map(
    await Promise.all(strided.map(async (entry) => [entry.name, await readTorchTensor(entry)] as const)),
  );
  return (graph, dtype = 'float32') => {
    const inPlace = checkpointWeights(graph, file, dtype);
    return (name, shape) => {
      const copy = copies.get(name);
      return copy ? cast(weight(graph, name, copy), dtype) : inPlace(name, shape);
    };
  };
}

/** Tensors by the path to them. What several paths lead to is listed once for each container, so that no file grows by reading. */
function tensorsOf(root: PickledValue, source: string): ReadonlyMap<string, PickledTensor> {
  const found = new Map<string, PickledTensor>();
  const seen = new Set<PickledValue>();
  const waiting: { path: readonly string[]; value: PickledValue }[] = [{ path: [], value: root }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { path, value } = next;
    if (path.length > MAX_DEPTH) throw pickleFault(source, `its dictionaries are more than ${MAX_DEPTH} deep`);
    if (isKind(value, 'tensor')) found.set(path.join('.'), value);
    if (typeof value !== 'object' || value === null || isKind(value, 'tensor') || seen.has(value)) continue;
    seen.add(value);
    const items =
      value instanceof Map
        ? [...value]
        : Array.isArray(value)
          ? [...value.entries()]
          : isKind(value, 'tuple')
            ? [...value.items.entries()]
            : [];
    for (const [key, item] of items) waiting.push({ path: [...path, String(key)], value: item });
  }
  const prefix = 'state_dict.';
  const isWrapped = found.size > 0 && [...found.keys()].every((name) => name.startsWith(prefix));
  return isWrapped ? new Map([...found].map(([name, tensor]) => [name.slice(prefix.length), tensor])) : found;
}

interface Place {
  readonly name: string;
  readonly path: string;
  readonly file: string;
  /** Of the storage, in bytes. */
  readonly offset: number;
  readonly length: number;
}

function torchEntry(tensor: PickledTensor, { name, path, file, offset, length }: Place): TorchEntry {
  const { storage, shape, strides } = tensor;
  const fileDType = storages[storage.type];
  const element = fileDType && elements[fileDType];
  if (!fileDType || !element) throw pickleFault(path, `'${name}' is in a ${storage.type}`);
  const count = sizeOf(shape);
  const last = shape.reduce((sum, dim, axis) => sum + (dim - 1) * (strides[axis] ?? 0), 0);
  const reach = count === 0 ? 0 : last + 1;
  // Fewer elements than the shape has: some would be shown twice, and a file of bytes could claim gigabytes.
  if (
    !(Number.isSafeInteger(count) && Number.isSafeInteger(reach) && tensor.offset >= 0 && count <= Math.max(reach, 1))
  )
    throw pickleFault(path, `'${name}' shows elements more than once`);
  if ((tensor.offset + reach) * element.bytes > length)
    throw pickleFault(path, `'${name}' reaches beyond its storage of ${length} bytes`);
  const rows = rowByRow(shape);
  const inOrder = shape.every((dim, axis) => dim <= 1 || strides[axis] === rows[axis]);
  return {
    name,
    fileDType,
    dtype: element.dtype,
    shape,
    file,
    offset: offset + tensor.offset * element.bytes,
    length: reach * element.bytes,
    ...(inOrder || count === 0 ? {} : { strides }),
  };
}

/** The strides of elements that lie row by row. */
function rowByRow(shape: readonly number[]): readonly number[] {
  const strides: number[] = [];
  let step = 1;
  for (const dim of shape.toReversed()) {
    strides.unshift(step);
    step *= dim;
  }
  return strides;
}
