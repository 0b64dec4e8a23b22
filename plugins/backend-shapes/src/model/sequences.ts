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
    table.put(row, tokens, { from: length - tokens.length, position: 0 });
  });
  return table.data;
}

/** An instruction or a question, and what should be said to it. */
export interface Text {
  readonly instruction: readonly number[];
  readonly answer: readonly number[];
}

export interface ReadingRow {
  readonly codes: ArrayLike<number>;
  /** Each is read from the image alone: none sees the others. */
  readonly texts: readonly Text[];
}

/** Reading sequences with, for each of their tokens after the image, the word that should come next. */
export interface ReadingData extends Omit<SequenceData, 'real'> {
  /** [B, T]: 0 for what all texts see, k for the k-th text, -1 for padding. */
  readonly segments: TensorDataOf<'int64'>;
  /** [B, textLength]: the word after each token that follows the image; -1 where nothing is to be learned. */
  readonly targets: TensorDataOf<'int64'>;
}

/**
 * `<bos> <boi> codes`, then each text's instruction and answer, padded on the right: [B, 2 + 16 + textLength]. Positions
 * start again after the image with every text. The target after an answer is `<eos>`. Instructions are not empty.
 */
export function readingSequences(
  ids: TokenIds,
  rows: readonly ReadingRow[],
  { textLength }: { textLength: number },
): ReadingData {
  const start = readingImageAt + imageTokens;
  const table = emptyTable(rows.length, start + textLength, ids.words.pad);
  const segments = new BigInt64Array(table.data.ids.data.length).fill(-1n);
  const targets = new BigInt64Array(rows.length * textLength).fill(-1n);
  rows.forEach(({ codes, texts }, row) => {
    const image = Array.from(codes, (code) => code + ids.firstCode);
    const begin = row * (start + textLength);
    table.put(row, [ids.words.begin, ids.beginImage, ...image], { from: 0, position: 0 });
    segments.fill(0n, begin, begin + start);
    let used = 0;
    texts.forEach(({ instruction, answer }, k) => {
      const words = [...instruction, ...answer];
      if (used + words.length > textLength) throw new RangeError('The texts are longer than the sequence.');
      table.put(row, words, { from: start + used, position: start });
      segments.fill(BigInt(k + 1), begin + start + used, begin + start + used + words.length);
      [...answer, ids.words.end].forEach((word, i) => {
        targets[row * textLength + used + instruction.length - 1 + i] = BigInt(word);
      });
      used += words.length;
    });
  });
  return {
    ids: table.data.ids,
    positions: table.data.positions,
    segments: { dtype: 'int64', shape: table.data.ids.shape, data: segments },
    targets: { dtype: 'int64', shape: [rows.length, textLength], data: targets },
  };
}

/**
 * `<bos> <boi> codes`, then each question, padded on its left: [B, 2 + 16 + questionLength], so that all answers begin at one index.
 * Positions and segments are those of `readingSequences`. Questions are neither empty nor longer than `questionLength`.
 */
export function questionSequences(
  ids: TokenIds,
  rows: readonly { readonly codes: ArrayLike<number>; readonly question: readonly number[] }[],
  { questionLength }: { questionLength: number },
): Omit<ReadingData, 'targets'> {
  const start = readingImageAt + imageTokens;
  const length = start + questionLength;
  const { data, put } = emptyTable(rows.length, length, ids.words.pad);
  const segments = new BigInt64Array(data.ids.data.length).fill(-1n);
  rows.forEach(({ codes, question }, row) => {
    const image = Array.from(codes, (code) => code + ids.firstCode);
    const end = (row + 1) * length;
    put(row, [ids.words.begin, ids.beginImage, ...image], { from: 0, position: 0 });
    put(row, question, { from: length - question.length, position: start });
    segments.fill(0n, end - length, end - questionLength);
    segments.fill(1n, end - question.length, end);
  });
  return {
    ids: data.ids,
    positions: data.positions,
    segments: { dtype: 'int64', shape: data.ids.shape, data: segments },
  };
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
    put(row: number, tokens: readonly number[], { from, position }: { from: number; position: number }) {
      tokens.forEach((token, i) => {
        const at = row * length + from + i;
        data.ids.data[at] = BigInt(token);
        data.positions.data[at] = BigInt(position + i);
        data.real.data[at] = 1;
      });
    },
  };
}
