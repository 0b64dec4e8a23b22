/**
 * Parses and validates the header of a safetensors file: bytes in, tensor table out, no disk.
 *
 * As strict as the format's text (github.com/huggingface/safetensors, README "Format") and in two places stricter than the
 * official library: the header must begin with `{`, and no key may appear twice. Like that library it ignores fields of an
 * entry that it does not know. A file that passes has every byte of its data owned by exactly one tensor.
 */
import { isRecord } from '@gvu/core';
import type { DType } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import { type FileDType, fileDTypes, isFileDType, isWellFormed, LENGTH_BYTES, METADATA_KEY } from './format.ts';
import { listed } from './listed.ts';
import { findLaxities } from './strict-json.ts';

/** One tensor of a file, by reference: with a defined `dtype` it can be a weight of a graph, which then uses the file in place. */
export interface SafetensorsEntry {
  readonly name: string;
  /** The dtype as the file names it. */
  readonly fileDType: FileDType;
  /** The dtype that holds these bytes here; undefined for those that this package has no values for, such as F8_E4M3. */
  readonly dtype: DType | undefined;
  readonly shape: readonly number[];
  /** The absolute path of the file, free of symbolic links. */
  readonly file: string;
  /** Where the values begin, in bytes from the start of the file; any number, not only an aligned one. */
  readonly offset: number;
  /** In bytes; 0 when a dimension is 0. */
  readonly length: number;
}

export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of their bytes. */
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
}

interface HeaderPlace {
  /** How errors name the file. */
  readonly path: string;
  /** What the entries carry. */
  readonly file: string;
  readonly fileBytes: number;
}

/** Throws GVU_SAFETENSORS_HEADER, _TENSORS (with every bad entry) or _SIZE; each names the file. */
export function parseHeader(header: Uint8Array, { path, file, fileBytes }: HeaderPlace): SafetensorsHeader {
  const fields = parseFields(header, path);
  const problems: string[] = [];
  const metadata = parseMetadata(fields.get(METADATA_KEY), problems);
  const start = LENGTH_BYTES + header.length;
  const entries: SafetensorsEntry[] = [];
  for (const [name, value] of fields) {
    if (name === METADATA_KEY) continue;
    const parsed = isWellFormed(name) ? parseTensor(value) : 'has half of a surrogate pair in its name';
    if (typeof parsed === 'string') problems.push(`tensor '${name}' ${parsed}`);
    else entries.push({ name, ...parsed, file, offset: start + parsed.offset });
  }
  entries.sort((a, b) => a.offset - b.offset || a.length - b.length);
  // Where each tensor lies means something only once every one of them is known.
  if (problems.length === 0) problems.push(...coverProblems(entries, start));
  if (problems.length > 0)
    throw onnxErrors.error('GVU_SAFETENSORS_TENSORS', `The header of '${path}' is wrong: ${listed(problems)}.`, {
      hint: 'Write the file again with a safetensors library.',
      details: { file: path, problems },
    });
  const last = entries.at(-1);
  checkSize(path, { expected: last ? last.offset + last.length : start, actual: fileBytes });
  return { metadata, tensors: new Map(entries.map((entry) => [entry.name, entry])) };
}

/** The header's JSON object as a map, which `__proto__` and its like cannot upset. */
function parseFields(header: Uint8Array, path: string): ReadonlyMap<string, unknown> {
  const fault = (what: string, cause?: unknown) =>
    onnxErrors.error('GVU_SAFETENSORS_HEADER', `The header of '${path}' ${what}.`, {
      hint: 'Get the file again, or write it with a safetensors library.',
      cause,
      details: { file: path },
    });
  if (header[0] !== 0x7b) throw fault('does not begin with {');
  let value: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(header);
  } catch (error) {
    throw fault('is not UTF-8', error);
  }
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fault('is not JSON', error);
  }
  const { repeatedKeys, oddNumbers } = findLaxities(text);
  if (repeatedKeys.length > 0) throw fault(`has more than one ${listed(repeatedKeys.map((key) => `'${key}'`))}`);
  if (oddNumbers) throw fault('has a number that is not an unsigned integer');
  if (!isRecord(value)) throw fault('is not an object');
  return new Map(Object.entries(value));
}

function parseMetadata(value: unknown, problems: string[]): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  if (value === undefined) return metadata;
  if (!isRecord(value)) {
    problems.push(`${METADATA_KEY} is not an object of strings`);
    return metadata;
  }
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') problems.push(`${METADATA_KEY} has ${shown(text)} for '${key}', not a string`);
    else if (!isWellFormed(key + text)) problems.push(`${METADATA_KEY} has half of a surrogate pair at '${key}'`);
    else metadata.set(key, text);
  }
  return metadata;
}

type ParsedTensor = Pick<SafetensorsEntry, 'fileDType' | 'dtype' | 'shape' | 'offset' | 'length'>;

/** The entry with its offset relative to the data, or what is wrong with it. */
function parseTensor(value: unknown): ParsedTensor | string {
  if (!isRecord(value)) return 'is not an object';
  const { dtype: fileDType, shape, data_offsets: offsets } = value;
  if (!isFileDType(fileDType)) return `has the unknown dtype ${shown(fileDType)}`;
  if (!isIntegers(shape)) return `has the shape ${shown(shape)}, not a list of integers from 0`;
  if (!isIntegers(offsets) || offsets.length !== 2)
    return `has the data_offsets ${shown(offsets)}, not two integers from 0`;
  const [begin = 0, end = 0] = offsets;
  if (begin > end) return `ends at ${end}, before it begins at ${begin}`;
  const { bits, dtype } = fileDTypes[fileDType];
  const needed = bytesOf(shape, bits);
  if (typeof needed === 'string') return needed;
  if (end - begin !== needed) return `of ${fileDType}${shown(shape)} needs ${needed} bytes and has ${end - begin}`;
  return { fileDType, dtype, shape, offset: begin, length: needed };
}

function bytesOf(shape: readonly number[], bitsPerElement: number): number | string {
  let bits = bitsPerElement;
  for (const dim of shape) {
    bits *= dim;
    if (bits > Number.MAX_SAFE_INTEGER) return `has the shape ${shown(shape)}, larger than any file`;
  }
  return bits % 8 === 0 ? bits / 8 : `has ${bits} bits, which end inside a byte`;
}

/** The first overlap or hole of tensors in the order of their bytes. */
function coverProblems(entries: readonly SafetensorsEntry[], start: number): readonly string[] {
  let covered = start;
  let previous: string | undefined;
  for (const { name, offset, length } of entries) {
    if (offset < covered) return [`tensors '${previous}' and '${name}' share bytes`];
    if (offset > covered) return [`${offset - covered} bytes before tensor '${name}' belong to no tensor`];
    covered = offset + length;
    previous = name;
  }
  return [];
}

/** Throws GVU_SAFETENSORS_SIZE unless a file has as many bytes as it must. */
export function checkSize(path: string, { expected, actual }: { expected: number; actual: number }): void {
  if (actual === expected) return;
  throw onnxErrors.error(
    'GVU_SAFETENSORS_SIZE',
    `'${path}' must have ${expected} bytes by its header and has ${actual}.`,
    {
      hint:
        actual < expected
          ? 'It was not copied or downloaded to its end: get it again.'
          : 'Something was appended: get it again.',
      details: { file: path, expected, actual },
    },
  );
}

function isIntegers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  try {
    return JSON.stringify(value).slice(0, 80);
  } catch {
    // Unlike `JSON.parse`, it needs stack for every level.
    return 'something nested too deeply to show';
  }
}
