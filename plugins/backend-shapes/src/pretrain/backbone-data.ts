/**
 * What the backbone learns from at a step: images to draw, and images to read. Of each of the latter it reads the prompt that the
 * image was made for, another true description, and two questions, in one sequence: an image costs more than its texts.
 */
import { randomStream } from '@gvu/core';
import type { TensorData } from '@gvu/onnx';
import { imageTokens, type TokenIds } from '../model/config.ts';
import { drawingSequences, readingSequences, type Text } from '../model/sequences.ts';
import {
  askAbout,
  type Catalogue,
  describeInstruction,
  describeScene,
  type PromptWeights,
  type World,
} from '../world/index.ts';
import type { BackboneBatch } from './backbone-program.ts';
import type { Example } from './data.ts';

export type EncodedExample = Example & { readonly codes: readonly number[] };

export interface DataOptions {
  readonly world: World;
  readonly catalogue: Catalogue;
  readonly ids: TokenIds;
  readonly batch: BackboneBatch;
  readonly seed: number;
  /** Of the categories among which the other description is chosen. */
  readonly weights: PromptWeights;
}

/** The feeds of a step, of `drawing + reading` examples: the first ones are drawn, the others read. */
export function backboneFeeds(
  examples: readonly EncodedExample[],
  step: number,
  { world, catalogue, ids, batch, seed, weights }: DataOptions,
): Record<string, TensorData> {
  const { drawing, promptLength, textLength } = batch;
  const [described, asked] = [
    randomStream(seed, 'shapes/pretrain/description'),
    randomStream(seed, 'shapes/pretrain/question'),
  ];
  const toDraw = examples.slice(0, drawing);
  const drawn = drawingSequences(
    ids,
    toDraw.map(({ prompt, codes }) => ({ prompt: ids.words.encode(prompt), codes: codes.slice(0, -1) })),
    { promptLength },
  );
  const read = readingSequences(
    ids,
    examples.slice(drawing).map(({ prompt, scene, codes }, row) => {
      const other = describeScene(scene, catalogue, { address: described.at(step, row), weights });
      const questions = [0, 1].map((i) => askAbout(world, scene, asked.at(step, row, i)));
      const texts = [
        textOf(ids, describeInstruction, prompt),
        textOf(ids, describeInstruction, other?.metadata.prompt ?? prompt),
        ...questions.map(({ question, answer }) => textOf(ids, question, answer)),
      ];
      return { codes, texts };
    }),
    { textLength },
  );
  const codes = toDraw.flatMap((example) => example.codes);
  return {
    'drawing ids': drawn.ids,
    'drawing positions': drawn.positions,
    'drawing real': drawn.real,
    'drawing targets': { dtype: 'int64', shape: [drawing, imageTokens], data: BigInt64Array.from(codes, BigInt) },
    'reading ids': read.ids,
    'reading positions': read.positions,
    'reading segments': read.segments,
    'reading targets': read.targets,
  };
}

/** Words of a world's longest question and its answer. */
const questionLength = 12;

/** Words of the longest prompt, and of all texts of an image together. */
export function textLengths(
  catalogue: Catalogue,
  { words }: TokenIds,
): Pick<BackboneBatch, 'promptLength' | 'textLength'> {
  const promptLength = Math.max(...catalogue.entries.map(({ metadata }) => words.encode(metadata.prompt).length));
  const description = words.encode(describeInstruction).length + promptLength;
  return { promptLength, textLength: 2 * (description + questionLength) };
}

function textOf({ words }: TokenIds, instruction: string, answer: string): Text {
  return { instruction: words.encode(instruction), answer: words.encode(answer) };
}
