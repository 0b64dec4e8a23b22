/**
 * The words of a world as tokens: those of its prompts, of questions about scenes and of the instruction to describe.
 *
 * One word or punctuation mark is one token. The numbering depends on the world's shapes and colours alone: the special
 * tokens come first, then the words in alphabetical order.
 */
import { didYouMeanHint } from '@gvu/core';
import { shapesErrors } from '../errors.ts';
import { grammar } from './grammar.ts';
import { questionTexts } from './questions.ts';
import type { World } from './world.ts';

/** What the model is told to do with an image (the paper's P_sys). */
export const describeInstruction = 'describe the image in detail';

export interface Vocabulary {
  /** The number of tokens; ids are 0 to `size` - 1. */
  readonly size: number;
  readonly pad: number;
  readonly begin: number;
  readonly end: number;
  /**
   * The tokens of a text, without special ones. Case and spaces do not matter.
   * @throws GVU_SHAPES_WORD with every unknown word.
   */
  encode(text: string): number[];
  /**
   * The text of tokens; special tokens have none.
   * @throws GVU_SHAPES_WORD for an id out of range.
   */
  decode(tokens: Iterable<number>): string;
}

const specials = ['<pad>', '<bos>', '<eos>'];

export function createVocabulary(world: World): Vocabulary {
  const texts = [describeInstruction, ...grammar(world).map(({ prompt }) => prompt), ...questionTexts(world)];
  const words = [...specials, ...[...new Set(texts.flatMap(split))].sort()];
  const ids = new Map(words.map((word, id) => [word, id]));
  return {
    size: words.length,
    pad: 0,
    begin: 1,
    end: 2,
    encode(text) {
      const parts = split(text);
      const unknown = parts.filter((part) => !ids.has(part) || specials.includes(part));
      if (unknown.length > 0) {
        throw shapesErrors.error(
          'GVU_SHAPES_WORD',
          `Unknown words: ${unknown.map((word) => JSON.stringify(word)).join(', ')}.`,
          {
            hint:
              didYouMeanHint(unknown[0] ?? '', words.slice(specials.length)).trim() || 'Use the words of the world.',
            details: { unknown },
          },
        );
      }
      return parts.map((part) => ids.get(part) ?? 0);
    },
    decode(tokens) {
      const parts = [...tokens].flatMap((token) => {
        const word = words[token];
        if (word === undefined) {
          throw shapesErrors.error('GVU_SHAPES_WORD', `${token} is not a token: ids are 0 to ${words.length - 1}.`);
        }
        return token < specials.length ? [] : [word];
      });
      return parts.join(' ').replace(/ (?=[,?])/g, '');
    },
  };
}

/** Words, and punctuation on its own. */
function split(text: string): string[] {
  return text.toLowerCase().match(/[^\s,?]+|[,?]/g) ?? [];
}
