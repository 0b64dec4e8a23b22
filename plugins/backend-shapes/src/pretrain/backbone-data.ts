/** What the backbone learns from at a step: rows that draw, rows that describe, rows that answer questions. */
import { randomStream } from '@gvu/core';
import type { TensorData } from '@gvu/onnx';
import { imageTokens, type TokenIds } from '../model/config.ts';
import { drawingSequences, readingSequences } from '../model/sequences.ts';
import { askAbout, type Catalogue, describeInstruction, type World } from '../world/index.ts';
import { type BackboneBatch, sequenceLength } from './backbone-program.ts';
import type { Example } from './data.ts';

export interface BackboneRows extends BackboneBatch {
  /** Of the rows that read, those that answer a question; the others describe. */
  readonly questions: number;
}

/** The feeds of a step: the first examples are drawn, then some are described, the last ones are asked about. */
export function backboneFeeds(
  ids: TokenIds,
  examples: readonly (Example & { readonly codes: readonly number[] })[],
  { rows, world, seed, step }: { rows: BackboneRows; world: World; seed: number; step: number },
): Record<string, TensorData> {
  const { drawing, reading, questions, textLength } = rows;
  const length = sequenceLength(rows);
  const asked = randomStream(seed, 'shapes/pretrain/question');
  const drawn = drawingSequences(
    ids,
    examples
      .slice(0, drawing)
      // Nothing follows the last code.
      .map(({ prompt, codes }) => ({ prompt: ids.words.encode(prompt), codes: codes.slice(0, -1) })),
    { promptLength: length - imageTokens - 1 },
  );
  const read = readingSequences(
    ids,
    examples.slice(drawing).map(({ prompt, scene, codes }, row) => {
      if (row < reading - questions) return { codes, ...encoded(ids, describeInstruction, prompt) };
      const { question, answer } = askAbout(world, scene, asked.at(step, row));
      return { codes, ...encoded(ids, question, answer) };
    }),
    { textLength },
  );
  const shape = [drawing + reading, length];
  return {
    ids: { dtype: 'int64', shape, data: joined(drawn.ids.data, read.ids.data) },
    positions: { dtype: 'int64', shape, data: joined(drawn.positions.data, read.positions.data) },
    real: { dtype: 'float32', shape, data: Float32Array.from([...drawn.real.data, ...read.real.data]) },
    codeTargets: {
      dtype: 'int64',
      shape: [drawing, imageTokens],
      data: BigInt64Array.from(
        examples.slice(0, drawing).flatMap(({ codes }) => codes),
        BigInt,
      ),
    },
    wordTargets: read.targets,
  };
}

/** Words of the longest description with its instruction; questions with their answers are shorter. */
export function textLengthOf(catalogue: Catalogue, { words }: TokenIds): number {
  const lengths = catalogue.entries.map(({ metadata }) => words.encode(metadata.prompt).length);
  return words.encode(describeInstruction).length + Math.max(...lengths);
}

function encoded({ words }: TokenIds, instruction: string, answer: string) {
  return { instruction: words.encode(instruction), answer: words.encode(answer) };
}

function joined(a: BigInt64Array, b: BigInt64Array): BigInt64Array {
  const all = new BigInt64Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
