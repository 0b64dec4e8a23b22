/**
 * The constants of the safetensors format (github.com/huggingface/safetensors, README "Format" and `Dtype` in tensor.rs).
 *
 * A file is the length of the header (8 bytes, unsigned, little-endian), the header (JSON in UTF-8), and the values of the
 * tensors, row-major and little-endian, back to back without holes.
 */
import type { DType } from '../dtype.ts';

/** The bytes before the header, which hold its length. */
export const LENGTH_BYTES = 8;
/** The official library's limit for the header, in bytes. */
export const MAX_HEADER_BYTES = 100_000_000;
export const METADATA_KEY = '__metadata__';

interface FileDTypeInfo {
  readonly bits: number;
  /** The dtype that holds the same bytes here, where there is one. */
  readonly dtype?: DType;
}

/** Every dtype of the format by ascending alignment, in the official order: writers sort tensors by descending place. */
const table = {
  BOOL: { bits: 8, dtype: 'bool' },
  F4: { bits: 4 },
  F6_E2M3: { bits: 6 },
  F6_E3M2: { bits: 6 },
  U8: { bits: 8, dtype: 'uint8' },
  I8: { bits: 8 },
  F8_E5M2: { bits: 8 },
  F8_E4M3: { bits: 8 },
  F8_E8M0: { bits: 8 },
  F8_E4M3FNUZ: { bits: 8 },
  F8_E5M2FNUZ: { bits: 8 },
  I16: { bits: 16 },
  U16: { bits: 16 },
  F16: { bits: 16, dtype: 'float16' },
  BF16: { bits: 16, dtype: 'bfloat16' },
  I32: { bits: 32, dtype: 'int32' },
  U32: { bits: 32 },
  F32: { bits: 32, dtype: 'float32' },
  C64: { bits: 64 },
  F64: { bits: 64, dtype: 'float64' },
  I64: { bits: 64, dtype: 'int64' },
  U64: { bits: 64 },
} as const satisfies Readonly<Record<string, FileDTypeInfo>>;

/** A dtype as a safetensors file names it. */
export type FileDType = keyof typeof table;

export const fileDTypes: Readonly<Record<FileDType, FileDTypeInfo>> = table;

/** How a file names each of our dtypes. */
export const fileDTypeOf: Readonly<Record<DType, FileDType>> = {
  bool: 'BOOL',
  uint8: 'U8',
  float16: 'F16',
  bfloat16: 'BF16',
  int32: 'I32',
  float32: 'F32',
  float64: 'F64',
  int64: 'I64',
};

export function isFileDType(value: unknown): value is FileDType {
  return typeof value === 'string' && Object.hasOwn(fileDTypes, value);
}

/** Half of a surrogate pair alone: JSON can escape one, UTF-8 cannot write it. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
