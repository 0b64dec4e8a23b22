/** Proves that two sets of prompts share nothing, or says what they share. */
import type { Catalogue } from './catalogue.ts';
import { normalized } from './meaning.ts';

export interface SharedPrompt {
  /** One prompt of each set. */
  readonly prompts: readonly [first: string, second: string];
  /** The same words, or other words that ask for the same thing. */
  readonly by: 'text' | 'meaning';
}

/**
 * The prompts of `second` that are also in `first`, each once: by their normalised text, or by their meaning when the
 * grammar knows both. Empty when the sets share nothing. Prompts that the grammar does not know are compared by text.
 */
export function sharedPrompts(first: Iterable<string>, second: Iterable<string>, catalogue: Catalogue): SharedPrompt[] {
  const byText = new Map<string, string>();
  const byMeaning = new Map<string, string>();
  const meaning = (prompt: string): string | undefined =>
    catalogue.has(prompt) ? catalogue.find(prompt).meaning : undefined;
  for (const prompt of first) {
    byText.set(normalized(prompt), prompt);
    const key = meaning(prompt);
    if (key !== undefined) byMeaning.set(key, prompt);
  }
  const shared = new Map<string, SharedPrompt>();
  for (const prompt of second) {
    const sameText = byText.get(normalized(prompt));
    const key = meaning(prompt);
    const sameMeaning = key === undefined ? undefined : byMeaning.get(key);
    if (sameText !== undefined) shared.set(prompt, { prompts: [sameText, prompt], by: 'text' });
    else if (sameMeaning !== undefined) shared.set(prompt, { prompts: [sameMeaning, prompt], by: 'meaning' });
  }
  return [...shared.values()];
}
