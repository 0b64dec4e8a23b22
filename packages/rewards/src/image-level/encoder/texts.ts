/**
 * Texts as text towers take them. CLIP: begin, at most length - 2 tokens, end. SigLIP: letters made small and ASCII punctuation taken
 * out, at most length - 1 tokens, end, padded to the whole length, with no mask. What is longer is cut, as the sources do it.
 *
 * Differences: OpenAI's own tokenizer first mends broken Unicode (ftfy) and HTML entities, which the tokenizer of transformers that is
 * used here does not.
 *
 * Sources: tokenization_clip.py and tokenization_siglip.py of transformers 5.18; clip.py of openai/CLIP.
 */

import { isRecord } from '@gvu/core';
import { modelErrors, openTokenizer, readModelJson } from '@gvu/models';
import type { EncoderConfig } from './config.ts';

export interface TokenisedText {
  /** [length] */
  readonly ids: BigInt64Array;
  /** The place of the end. */
  readonly end: number;
}

/** Throws GVU_MODEL_FILE, GVU_MODEL_TOKENIZER; the function it gives GVU_MODEL_TEXT for a text with control tokens. */
export async function openTexts(
  folder: string,
  { family, text }: EncoderConfig,
): Promise<(text: string) => TokenisedText> {
  const tokenizer = await openTokenizer(folder);
  const settings = await readModelJson(folder, 'tokenizer_config.json');
  const idOf = (name: 'bos_token' | 'eos_token' | 'pad_token') => {
    const value = isRecord(settings[name]) ? settings[name].content : settings[name];
    const id = typeof value === 'string' ? tokenizer.idOf(value) : undefined;
    if (id !== undefined && id < text.vocabulary) return id;
    throw modelErrors.error(
      'GVU_MODEL_TOKENIZER',
      `The tokenizer of '${folder}' has no ${name} that the model knows.`,
      {
        hint: 'Get tokenizer.json and tokenizer_config.json of the same release as the weights.',
      },
    );
  };
  const end = idOf('eos_token');
  const before = family === 'clip' ? [idOf('bos_token')] : [];
  const padding = family === 'clip' ? end : idOf('pad_token');
  const controls = new Set([...before, end, padding]);
  // SigLIP 2 has another tokenizer class, which keeps punctuation.
  const isCanonical = family === 'siglip' && String(settings.tokenizer_class).startsWith('Siglip');
  return (given) => {
    const words = isCanonical ? canonical(given) : given;
    const plain = tokenizer.encode(words);
    // An unknown word is one like others; what would end the text is not.
    if (plain.some((id) => controls.has(id)))
      throw modelErrors.error('GVU_MODEL_TEXT', `${JSON.stringify(given)} has a control token.`, {
        hint: 'Give plain words.',
      });
    const ids = [...before, ...plain.slice(0, text.length - before.length - 1), end];
    const all = BigInt64Array.from({ length: text.length }, (_, i) => BigInt(ids[i] ?? padding));
    return { ids: all, end: ids.length - 1 };
  };
}

function canonical(text: string): string {
  return text
    .toLowerCase()
    .replace(/[!-/:-@[-`{-~]/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}
