/**
 * Opens safetensors files and reads single tensors out of them.
 *
 * Opening reads the header alone and trusts no length in it before the file's own size confirms it. Big weights need no
 * more than that: an entry says where its bytes lie, and ONNX Runtime maps them from there (see `external-data.ts`).
 * `readTensor` copies into the JavaScript heap and is for small things: adapters, optimiser state, references.
 */
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { type GvuError, isGvuError } from '@gvu/core';
import type { DType } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import { type TensorData, tensorFromBuffer } from '../tensor-data.ts';
import { LENGTH_BYTES, MAX_HEADER_BYTES } from './format.ts';
import { checkSize, parseHeader, type SafetensorsEntry, type SafetensorsHeader } from './header.ts';
import { listed } from './listed.ts';

/** Below the 2 GiB that one system call reads at most. */
const MAX_READ_BYTES = 2 ** 30;

export interface SafetensorsFile extends SafetensorsHeader {
  /** The absolute path of the file, free of symbolic links. */
  readonly file: string;
}

/**
 * Validates a file and lists its tensors. Throws GVU_SAFETENSORS_READ, _HEADER, _TENSORS or _SIZE, naming the path as given.
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  return reading(path, async () => {
    const file = await realpath(path);
    await using handle = await openRegular(file);
    const { size: fileBytes } = await handle.stat();
    const prefix = await readBytes(handle, { offset: 0, length: Math.min(LENGTH_BYTES, fileBytes) });
    const headerBytes = headerLength(prefix, { path, fileBytes });
    const header = await readBytes(handle, { offset: LENGTH_BYTES, length: headerBytes });
    return { file, ...parseHeader(new Uint8Array(header), { path, file, fileBytes }) };
  });
}

/**
 * The values of tensors, of any number of files, by name. Throws GVU_SAFETENSORS_DTYPE with all that have a dtype without
 * values here, GVU_SAFETENSORS_NAMES when two files have a tensor of one name, GVU_SAFETENSORS_READ or _SIZE when a file
 * changed since it was opened, GVU_TENSOR_DATA for a bad BOOL.
 */
export async function readTensors(entries: Iterable<SafetensorsEntry>): Promise<Map<string, TensorData>> {
  const all = [...entries];
  if (!all.every(isReadable)) throw unreadable(all.filter((entry) => !isReadable(entry)));
  refuseClashes(all);
  const tensors = new Map<string, TensorData>();
  for (const file of new Set(all.map((entry) => entry.file))) {
    await reading(file, async () => {
      await using handle = await openRegular(file);
      for (const entry of all) if (entry.file === file) tensors.set(entry.name, await readValues(handle, entry));
    });
  }
  return tensors;
}

/** The values of one tensor. Throws as `readTensors` does. */
export async function readTensor(entry: SafetensorsEntry): Promise<TensorData> {
  if (!isReadable(entry)) throw unreadable([entry]);
  return reading(entry.file, async () => {
    await using handle = await openRegular(entry.file);
    return await readValues(handle, entry);
  });
}

async function readValues(handle: FileHandle, entry: ReadableEntry): Promise<TensorData> {
  const { name, dtype, shape, file, offset, length } = entry;
  const { size } = await handle.stat();
  if (offset + length > size) checkSize(file, { expected: offset + length, actual: size });
  const tensor: TensorData = tensorFromBuffer(dtype, shape, await readBytes(handle, { offset, length }));
  if (tensor.dtype === 'bool' && tensor.data.some((value) => value > 1))
    throw onnxErrors.error('GVU_TENSOR_DATA', `BOOL tensor '${name}' of '${file}' has a byte other than 0 and 1.`, {
      hint: 'Store it as U8.',
    });
  return tensor;
}

/** The length that the first bytes declare. Nothing is allocated for it before the file is known to have it. */
function headerLength(prefix: ArrayBuffer, { path, fileBytes }: { path: string; fileBytes: number }): number {
  const fault = (what: string) =>
    onnxErrors.error('GVU_SAFETENSORS_HEADER', `'${path}' is not a safetensors file: ${what}.`, {
      hint: hintFor(prefix),
      details: { file: path },
    });
  if (prefix.byteLength < LENGTH_BYTES)
    throw fault(`it has only ${prefix.byteLength} of the ${LENGTH_BYTES} bytes of the header's length`);
  const declared = new DataView(prefix).getBigUint64(0, true);
  if (declared > MAX_HEADER_BYTES)
    throw fault(`it declares a header of ${declared} bytes, more than ${MAX_HEADER_BYTES}`);
  const headerBytes = Number(declared);
  if (LENGTH_BYTES + headerBytes > fileBytes)
    throw fault(`it declares a header of ${headerBytes} bytes and has ${fileBytes} in all`);
  return headerBytes;
}

/** What to do about a file that is something else, told by its first bytes. */
function hintFor(prefix: ArrayBuffer): string {
  const text = Buffer.from(prefix).toString('latin1');
  if (text.startsWith('version ')) return 'It is a Git LFS pointer: run `git lfs pull`.';
  if (text.startsWith('PK\x03\x04') || text.startsWith('\x80\x02\x8a'))
    return 'It is a pickle of PyTorch: convert it to safetensors.';
  if (/^<[!?a-z]/i.test(text)) return 'It is a web page: download the file itself.';
  return 'Check that it was copied or downloaded whole, and is of this format.';
}

async function readBytes(
  handle: FileHandle,
  { offset, length }: { offset: number; length: number },
): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const part = bytes.subarray(done, Math.min(done + MAX_READ_BYTES, length));
    const { bytesRead } = await handle.read(part, 0, part.length, offset + done);
    if (bytesRead === 0) throw new RangeError(`it ended at byte ${offset + done} while it was read`);
    done += bytesRead;
  }
  return bytes.buffer;
}

/** Not for a FIFO or a device, whose opening may block for ever. */
async function openRegular(file: string): Promise<FileHandle> {
  if (!(await stat(file)).isFile()) throw new TypeError('it is not a regular file');
  return open(file, 'r');
}

type ReadableEntry = SafetensorsEntry & { readonly dtype: DType };

function isReadable(entry: SafetensorsEntry): entry is ReadableEntry {
  return entry.dtype !== undefined;
}

function unreadable(entries: readonly SafetensorsEntry[]): GvuError {
  const tensors = entries.map(({ name, fileDType, file }) => `'${name}' (${fileDType}) of '${file}'`);
  return onnxErrors.error('GVU_SAFETENSORS_DTYPE', `No tensor values can hold ${listed(tensors)}.`, {
    hint: 'Convert them to F32, F16 or BF16 before.',
    details: { tensors },
  });
}

/** Of two files with one name, the values of either would silently win. */
function refuseClashes(entries: readonly SafetensorsEntry[]): void {
  const owners = new Map<string, string>();
  const problems: string[] = [];
  for (const { name, file } of entries) {
    const owner = owners.get(name) ?? file;
    if (owner !== file) problems.push(`'${name}' of '${owner}' and of '${file}'`);
    owners.set(name, owner);
  }
  if (problems.length === 0) return;
  throw onnxErrors.error('GVU_SAFETENSORS_NAMES', `Tensors of one name cannot be read together: ${listed(problems)}.`, {
    hint: 'Read the files one by one.',
    details: { problems },
  });
}

/** Gives what the file system or the allocator throws a code and the file's name. */
async function reading<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isGvuError(error)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw onnxErrors.error('GVU_SAFETENSORS_READ', `'${path}' cannot be read: ${why}.`, {
      hint: 'Check the path, its permissions, and that nothing else is writing it.',
      cause: error,
      details: { file: path },
    });
  }
}
