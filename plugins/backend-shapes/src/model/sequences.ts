/** The token sequences of drawing and reading, on the host: ids, positions and which are real, ready to be fed. */
import { sizeOf, type TensorDataOf } from '@gvu/onnx';
import { imageTokens, type TokenIds } from './config.ts';

export interface SequenceData {
  /** [B, T] */
  readonly ids: TensorDataOf<'int64'>;
  readonly positions: TensorDataOf<'int64'>;
  /** 1 at tokens, 0 at padding. */
  readonly real: TensorDataOf<'float32'>;
}

/** Index of the first code in a reading sequence: after the begins of sequence and image. */
export const readingImageAt = 2;

/**
 * `<bos> prompt <boi> codes`, padded on the left: [B, 2 + promptLength + codes]. `codes` (from 0) are as many in each row,
 * and may be none. A prompt longer than `promptLength` words loses its first ones.
 */
export function drawingSequences(
  ids: TokenIds,
  rows: readonly { readonly prompt: readonly number[]; readonly codes?: ArrayLike<number> }[],
  { promptLength }: { promptLength: number },
): SequenceData {
  const head = promptLength + 2;
  const length = head + (rows[0]?.codes?.length ?? 0);
  const table = emptyTable(rows.length, length, ids.words.pad);
  rows.forEach(({ prompt, codes = [] }, row) => {
    const words = prompt.slice(-promptLength);
    const tokens = [ids.words.begin, ...words, ids.beginImage, ...Array.from(codes, (code) => code + ids.firstCode)];
    table.put(row, tokens, length - tokens.length);
  });
  return table.data;
}

export interface ReadingRow {
  readonly codes: ArrayLike<number>;
  /** What the model is asked to do. */
  readonly instruction: readonly number[];
  readonly answer: readonly number[];
}

/** Reading sequences with, for each of their last tokens, the word that should come next. */
export interface ReadingData extends SequenceData {
  /** [B, 1 + textLength]: the word after each token from the last code on; -1 where nothing is to be learned. */
  readonly targets: TensorDataOf<'int64'>;
}

/** `<bos> <boi> codes instruction answer`, padded on the right: [B, 2 + 64 + textLength]. The target after the answer is `<eos>`. */
export function readingSequences(
  ids: TokenIds,
  rows: readonly ReadingRow[],
  { textLength }: { textLength: number },
): ReadingData {
  const start = readingImageAt + imageTokens;
  const table = emptyTable(rows.length, start + textLength, ids.words.pad);
  const targets = new BigInt64Array(rows.length * (1 + textLength)).fill(-1n);
  rows.forEach(({ codes, instruction, answer }, row) => {
    if (instruction.length + answer.length > textLength) throw new RangeError('A text is longer than the sequence.');
    const image = Array.from(codes, (code) => code + ids.firstCode);
    table.put(row, [ids.words.begin, ids.beginImage, ...image, ...instruction, ...answer], 0);
    [...answer, ids.words.end].forEach((word, i) => {
      targets[row * (1 + textLength) + instruction.length + i] = BigInt(word);
    });
  });
  return { ...table.data, targets: { dtype: 'int64', shape: [rows.length, 1 + textLength], data: targets } };
}

function emptyTable(rows: number, length: number, padding: number) {
  const shape = [rows, length];
  const data = {
    ids: { dtype: 'int64', shape, data: new BigInt64Array(sizeOf(shape)).fill(BigInt(padding)) },
    positions: { dtype: 'int64', shape, data: new BigInt64Array(sizeOf(shape)) },
    real: { dtype: 'float32', shape, data: new Float32Array(sizeOf(shape)) },
  } as const;
  return {
    data,
    put(row: number, tokens: readonly number[], from: number) {
      tokens.forEach((token, i) => {
        const at = row * length + from + i;
        data.ids.data[at] = BigInt(token);
        data.positions.data[at] = BigInt(i);
        data.real.data[at] = 1;
      });
    },
  };
}
