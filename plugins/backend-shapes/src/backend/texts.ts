/** Texts as the model takes them: words of its world, and not more of them than it was trained with. */
import { isGvuError, statementOf } from '@gvu/core';
import { modelErrors } from '@gvu/models';
import type { TokenIds } from '../model/config.ts';
import type { Text } from '../model/sequences.ts';
import { grammar } from '../world/grammar.ts';
import { describeInstruction, type World } from '../world/index.ts';

export interface Texts {
  /** Words of the longest prompt of the world: all prompts are padded to it. */
  readonly promptLength: number;
  /** Words of an instruction and a text together, at most: those of a request to describe and the longest prompt. */
  readonly textLength: number;
  /** The words of prompts. */
  prompts(texts: readonly string[]): number[][];
  /** The words of questions, each leaving room for an answer of one word. */
  questions(texts: readonly string[]): number[][];
  /** The words of instructions with their texts. */
  pairs(texts: readonly { readonly instruction: string; readonly text: string }[]): Text[];
}

/** All functions throw GVU_MODEL_TEXT, naming every text that is empty, too long, or has unknown words. */
export function createTexts(world: World, { words }: TokenIds): Texts {
  const promptLength = Math.max(...grammar(world).map(({ prompt }) => words.encode(prompt).length));
  const textLength = words.encode(describeInstruction).length + promptLength;

  const take = (text: string, longest: number, problems: Set<string>): number[] => {
    try {
      const found = words.encode(text);
      if (found.length === 0) problems.add('A text is empty.');
      if (found.length > longest)
        problems.add(`${JSON.stringify(text)} has ${found.length} words; at most ${longest} can be taken here.`);
      return found;
    } catch (error) {
      if (!isGvuError(error, 'GVU_SHAPES_WORD')) throw error;
      problems.add(`${JSON.stringify(text)}: ${statementOf(error)}`);
      return [];
    }
  };
  const refusing = <T>(work: (problems: Set<string>) => T): T => {
    const problems = new Set<string>();
    const result = work(problems);
    refuse(problems);
    return result;
  };
  return {
    promptLength,
    textLength,
    prompts: (texts) => refusing((problems) => texts.map((text) => take(text, promptLength, problems))),
    questions: (texts) => refusing((problems) => texts.map((text) => take(text, textLength - 1, problems))),
    pairs: (texts) =>
      refusing((problems) =>
        texts.map(({ instruction: before, text }) => {
          const instruction = take(before, textLength - 1, problems);
          return { instruction, answer: take(text, textLength - instruction.length, problems) };
        }),
      ),
  };
}

/** Problems that a message names; `details.problems` has them all. */
const shown = 5;

function refuse(problems: ReadonlySet<string>): void {
  if (problems.size === 0) return;
  const list = [...problems];
  const more = list.length > shown ? [`(and ${list.length - shown} more)`] : [];
  throw modelErrors.error('GVU_MODEL_TEXT', [...list.slice(0, shown), ...more].join(' '), {
    hint: 'Use the words of the world, as in "a photo of a red circle and a blue square".',
    details: { problems: list },
  });
}
