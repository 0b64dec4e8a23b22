/**
 * The directory of a zip archive as `torch.save` writes it: entries stored as they are, so that a tensor's bytes can be used in
 * place. Nothing is unpacked. Every length is checked against the file before it is trusted.
 *
 * Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 (layout) and 4.5.3 (the zip64 fields that files above 4 GiB need).
 */
import type { FileHandle } from 'node:fs/promises';
import { modelErrors } from '../errors.ts';

export interface ZipEntry {
  readonly name: string;
  /** Of its local header, in bytes from the start of the file. */
  readonly headerOffset: number;
  readonly length: number;
}

/** The record at the end of the file, and the longest comment that may follow it. */
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
const MAX_DIRECTORY_BYTES = 2 ** 28;
const LOCAL_BYTES = 30;
const ENTRY_BYTES = 46;

/** Entries by name. Throws GVU_TORCH_ZIP. */
export async function readZipDirectory(handle: FileHandle, path: string): Promise<ReadonlyMap<string, ZipEntry>> {
  const { size } = await handle.stat();
  const tail = await readAt(handle, { offset: Math.max(0, size - END_BYTES - MAX_COMMENT_BYTES - 20), end: size });
  const at = tail.lastIndexOf('PK\x05\x06', tail.length, 'latin1');
  if (at < 0 || at + END_BYTES > tail.length) throw zipFault(path, 'it has no directory at its end');
  const end = await locate(handle, { tail, at, path, size });
  if (end.offset + end.length > size || end.length > MAX_DIRECTORY_BYTES)
    throw zipFault(path, `its directory of ${end.length} bytes at ${end.offset} does not lie within its ${size} bytes`);
  const directory = await readAt(handle, { offset: end.offset, end: end.offset + end.length });
  const entries = new Map<string, ZipEntry>();
  for (let from = 0; from < directory.length; ) {
    const { entry, next } = parseEntry(directory, from, path);
    if (entries.has(entry.name)) throw zipFault(path, `it has '${entry.name}' twice`);
    if (entry.headerOffset + LOCAL_BYTES + entry.length > end.offset)
      throw zipFault(path, `'${entry.name}' reaches into its directory`);
    entries.set(entry.name, entry);
    from = next;
  }
  if (entries.size !== end.count) throw zipFault(path, `it has ${entries.size} entries and says ${end.count}`);
  return entries;
}

/** Where the bytes of an entry begin. Throws GVU_TORCH_ZIP when its own header contradicts the directory. */
export async function dataOffset(handle: FileHandle, entry: ZipEntry, path: string): Promise<number> {
  const { size } = await handle.stat();
  const { headerOffset, length, name } = entry;
  const header = await readAt(handle, { offset: headerOffset, end: headerOffset + LOCAL_BYTES });
  if (header.length < LOCAL_BYTES || header.readUInt32LE(0) !== 0x04034b50)
    throw zipFault(path, `'${name}' has no header of its own`);
  const offset = headerOffset + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  if (offset + length > size) throw zipFault(path, `'${name}' reaches beyond its end`);
  return offset;
}

export async function readAt(
  handle: FileHandle,
  { offset, end }: { offset: number; end: number },
): Promise<Buffer<ArrayBuffer>> {
  const bytes = Buffer.alloc(end - offset);
  const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset);
  return bytes.subarray(0, bytesRead);
}

export function zipFault(path: string, why: string): Error {
  return modelErrors.error('GVU_TORCH_ZIP', `'${path}' cannot be read: ${why}.`, {
    hint: 'Copy it again, or save it anew with a current PyTorch.',
    details: { file: path },
  });
}

interface Located {
  readonly offset: number;
  readonly length: number;
  readonly count: number;
}

/** The place of the directory: in the record at the end, or in the wider one that zip64 puts before it. */
async function locate(
  handle: FileHandle,
  { tail, at, path, size }: { tail: Buffer; at: number; path: string; size: number },
): Promise<Located> {
  const plain = {
    count: tail.readUInt16LE(at + 10),
    length: tail.readUInt32LE(at + 12),
    offset: tail.readUInt32LE(at + 16),
  };
  const isWide = plain.count === 0xffff || plain.length === 0xffffffff || plain.offset === 0xffffffff;
  if (!isWide) return plain;
  if (at < 20 || tail.readUInt32LE(at - 20) !== 0x07064b50) throw zipFault(path, 'it lacks its zip64 locator');
  const record = wide(tail, at - 12, path);
  if (record + 56 > size) throw zipFault(path, 'its zip64 record lies beyond its end');
  const bytes = await readAt(handle, { offset: record, end: record + 56 });
  if (bytes.readUInt32LE(0) !== 0x06064b50) throw zipFault(path, 'it lacks its zip64 record');
  return { count: wide(bytes, 32, path), length: wide(bytes, 40, path), offset: wide(bytes, 48, path) };
}

function parseEntry(directory: Buffer, from: number, path: string): { entry: ZipEntry; next: number } {
  if (from + ENTRY_BYTES > directory.length || directory.readUInt32LE(from) !== 0x02014b50)
    throw zipFault(path, 'its directory is broken');
  const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((at) => directory.readUInt16LE(from + at));
  const nameAt = from + ENTRY_BYTES;
  const extraAt = nameAt + (nameBytes ?? 0);
  const next = extraAt + (extraBytes ?? 0) + (commentBytes ?? 0);
  if (next > directory.length) throw zipFault(path, 'its directory is cut off');
  const name = directory.toString('utf8', nameAt, extraAt);
  const [flags, method] = [directory.readUInt16LE(from + 8), directory.readUInt16LE(from + 10)];
  if ((flags & 1) !== 0) throw zipFault(path, `'${name}' is encrypted`);
  const stored = directory.readUInt32LE(from + 20);
  const plain = { length: directory.readUInt32LE(from + 24), headerOffset: directory.readUInt32LE(from + 42) };
  if (method !== 0 || stored !== plain.length) throw zipFault(path, `'${name}' is compressed`);
  const extra = directory.subarray(extraAt, extraAt + (extraBytes ?? 0));
  return { entry: { name, ...widened(plain, extra, path) }, next };
}

/** The lengths of an entry, from its zip64 field where they need more than 32 bits: both sizes first, then the offset. */
function widened(
  plain: { length: number; headerOffset: number },
  extra: Buffer,
  path: string,
): { length: number; headerOffset: number } {
  const [isLong, isFar] = [plain.length === 0xffffffff, plain.headerOffset === 0xffffffff];
  if (!isLong && !isFar) return plain;
  for (let at = 0; at + 4 <= extra.length; ) {
    const [id, bytes] = [extra.readUInt16LE(at), extra.readUInt16LE(at + 2)];
    const field = extra.subarray(at + 4, at + 4 + bytes);
    if (id === 1) {
      const length = isLong ? wide(field, 0, path) : plain.length;
      return { length, headerOffset: isFar ? wide(field, isLong ? 16 : 0, path) : plain.headerOffset };
    }
    at += 4 + bytes;
  }
  throw zipFault(path, 'an entry lacks its zip64 field');
}

function wide(bytes: Buffer, at: number, path: string): number {
  const value = at + 8 <= bytes.length ? Number(bytes.readBigUInt64LE(at)) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw zipFault(path, 'a zip64 length is missing or beyond all files');
}
