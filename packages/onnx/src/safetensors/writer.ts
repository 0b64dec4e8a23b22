/**
 * Writes safetensors: the same tensors always give the same bytes, whatever order they come in.
 *
 * The layout is the official library's (`prepare` in safetensors/src/tensor.rs): tensors by descending alignment of their
 * dtype and then by the UTF-8 bytes of their name, the header padded with spaces to a multiple of 8. Given at most one
 * metadata key the bytes are equal to its own; with several, ours are in sorted order where it leaves them to a hash map.
 *
 * A file appears whole or not at all: it is written under a temporary name, flushed, and renamed over the old one. A
 * session that has mapped the old file keeps reading that.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory } from '@gvu/core';
import { onnxErrors } from '../errors.ts';
import { checkTensorData, type TensorData, tensorBytes } from '../tensor-data.ts';
import { fileDTypeOf, fileDTypes, isWellFormed, LENGTH_BYTES, MAX_HEADER_BYTES, METADATA_KEY } from './format.ts';
import { listed } from './listed.ts';

/** Tensors by name, as a plain object or as a map. */
export type NamedTensors = ReadonlyMap<string, TensorData> | Readonly<Record<string, TensorData>>;
export type Metadata = ReadonlyMap<string, string> | Readonly<Record<string, string>>;

/** Below the 2 GiB that one system call writes at most. */
const MAX_WRITE_BYTES = 2 ** 30;
const order = Object.keys(fileDTypes);

/** The bytes of a safetensors file. Throws GVU_SAFETENSORS_WRITE with every tensor and metadata entry that cannot be written. */
export function encodeSafetensors(tensors: NamedTensors, metadata: Metadata = {}): Uint8Array<ArrayBuffer> {
  const parts = plan(tensors, metadata);
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/**
 * Writes a safetensors file atomically, without a second copy of the tensors in memory; they must not change meanwhile.
 * Throws GVU_SAFETENSORS_WRITE; what was at `file` before the rename is then untouched, and nothing is left beside it.
 */
export async function writeSafetensors(file: string, tensors: NamedTensors, metadata: Metadata = {}): Promise<void> {
  const parts = plan(tensors, metadata);
  // Without the name of the file, which may already be as long as a name can be.
  const temporary = join(dirname(file), `.${randomBytes(12).toString('hex')}.safetensors.tmp`);
  try {
    {
      await using handle = await open(temporary, 'wx');
      for (const part of parts) await writeAll(handle, part);
      await handle.sync();
    }
    await rename(temporary, file);
    await syncDirectory(dirname(file));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined); // the first error says what is wrong
    const why = error instanceof Error ? error.message : String(error);
    throw onnxErrors.error('GVU_SAFETENSORS_WRITE', `'${file}' cannot be written: ${why}.`, {
      hint: 'Check that its directory exists, is writable and has room.',
      cause: error,
      details: { file },
    });
  }
}

/** The file in the order of its bytes: length, header, and each tensor's values (views, not copies). */
function plan(tensors: NamedTensors, metadata: Metadata): readonly Uint8Array[] {
  const named = entriesOf(tensors);
  const texts = entriesOf(metadata).sort(byName);
  const problems = [...named.flatMap(([name, tensor]) => tensorProblems(name, tensor)), ...texts.flatMap(textProblems)];
  if (problems.length > 0)
    throw onnxErrors.error('GVU_SAFETENSORS_WRITE', `Not writable as safetensors: ${listed(problems)}.`, {
      hint: 'Correct these tensors or this metadata.',
      details: { problems },
    });
  named.sort((a, b) => alignment(b[1]) - alignment(a[1]) || byName(a, b));
  let offset = 0;
  const fields: [key: string, json: string][] = [];
  if (texts.length > 0)
    fields.push([METADATA_KEY, jsonObject(texts.map(([key, text]) => [key, JSON.stringify(text)]))]);
  for (const [name, { dtype, shape, data }] of named) {
    const end = offset + data.byteLength;
    fields.push([name, JSON.stringify({ dtype: fileDTypeOf[dtype], shape, data_offsets: [offset, end] })]);
    offset = end;
  }
  return [...encodeHeader(jsonObject(fields)), ...named.map(([, tensor]) => tensorBytes(tensor))];
}

/** The header's length and its bytes. */
function encodeHeader(json: string): readonly [Uint8Array, Uint8Array] {
  const text = new TextEncoder().encode(json);
  const header = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(0x20);
  header.set(text);
  if (header.length > MAX_HEADER_BYTES)
    throw onnxErrors.error('GVU_SAFETENSORS_WRITE', `A header of ${header.length} bytes exceeds ${MAX_HEADER_BYTES}.`, {
      hint: 'Write fewer tensors or less metadata into one file.',
    });
  const length = new Uint8Array(LENGTH_BYTES);
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
  return [length, header];
}

/** JSON text with the fields in this order; an object would move keys such as "10" to its front. */
function jsonObject(fields: readonly (readonly [key: string, json: string])[]): string {
  return `{${fields.map(([key, json]) => `${JSON.stringify(key)}:${json}`).join(',')}}`;
}

function entriesOf<T>(named: ReadonlyMap<string, T> | Readonly<Record<string, T>>): [string, T][] {
  return named instanceof Map ? [...named] : Object.entries(named);
}

function byName(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return Buffer.compare(Buffer.from(a[0]), Buffer.from(b[0]));
}

function alignment({ dtype }: TensorData): number {
  return order.indexOf(fileDTypeOf[dtype]);
}

function tensorProblems(name: string, tensor: TensorData): readonly string[] {
  if (name === METADATA_KEY) return [`no tensor can be called '${METADATA_KEY}'`];
  if (!isWellFormed(name)) return [`the name '${name}' has half of a surrogate pair`];
  try {
    checkTensorData(tensor, name);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
  const isBroken = tensor.dtype === 'bool' && tensor.data.some((value) => value > 1);
  return isBroken ? [`'${name}' is bool and has a value other than 0 and 1`] : [];
}

function textProblems([key, text]: readonly [string, string]): readonly string[] {
  // Callers without types can pass anything.
  if (typeof text !== 'string') return [`the metadata '${key}' is of type ${typeof text}, not a string`];
  return isWellFormed(key) && isWellFormed(text) ? [] : [`the metadata '${key}' has half of a surrogate pair`];
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.length - done, MAX_WRITE_BYTES));
    done += bytesWritten;
  }
}
