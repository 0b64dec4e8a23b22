/** Sequences of token ids on the host, padded on the left to one length and ready to be fed. */
import type { TensorDataOf } from '@gvu/onnx';

/** Of B sequences of at most T tokens. */
export interface SequenceData {
  /** [B, T] */
  readonly ids: TensorDataOf<'int64'>;
  /** [B, T]: counted from 0 at the first token. */
  readonly positions: TensorDataOf<'int64'>;
  /** [B, T]: 1 at tokens, 0 at padding. */
  readonly real: TensorDataOf<'float32'>;
}

/** Each row is `before`, ending at index `length`, and `after`; rows whose `after` is short are filled up behind it. */
export interface SequenceRow {
  readonly before: readonly number[];
  readonly after?: ArrayLike<number>;
}

/**
 * Rows as tables of `length + afterLength` columns. What fills up a row behind its tokens counts as real, since no token before it
 * can see it. Throws a RangeError for a row that is too long.
 */
export function sequenceData(
  rows: readonly SequenceRow[],
  { length, afterLength = 0, padding }: { length: number; afterLength?: number; padding: number },
): SequenceData {
  const columns = length + afterLength;
  const shape = [rows.length, columns];
  const ids = new BigInt64Array(rows.length * columns).fill(BigInt(padding));
  const positions = new BigInt64Array(rows.length * columns);
  const real = new Float32Array(rows.length * columns);
  rows.forEach(({ before, after = [] }, row) => {
    if (before.length > length || after.length > afterLength)
      throw new RangeError(
        `Row ${row} has ${before.length} + ${after.length} tokens, above ${length} + ${afterLength}.`,
      );
    const start = length - before.length;
    for (let column = start; column < columns; column++) {
      const at = row * columns + column;
      const token = column < length ? before[column - start] : after[column - length];
      if (token !== undefined) ids[at] = BigInt(token);
      positions[at] = BigInt(column - start);
      real[at] = 1;
    }
  });
  return {
    ids: { dtype: 'int64', shape, data: ids },
    positions: { dtype: 'int64', shape, data: positions },
    real: { dtype: 'float32', shape, data: real },
  };
}

/** The next multiple of 16, so that few programs serve all lengths. */
export function roundedLength(length: number): number {
  return Math.max(16, Math.ceil(length / 16) * 16);
}
