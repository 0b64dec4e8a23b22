/**
 * Whether prompts of a test stand among those of training: as they are, or the same but for case, punctuation, articles and spaces. A
 * model that has trained on them has seen the test, whatever its score.
 */
import { isRecord } from '@gvu/core';
import { fileError, readText, textLines } from './files.ts';

export interface SharedPrompt {
  readonly test: string;
  readonly training: string;
  /** `exact` = character by character. */
  readonly match: 'exact' | 'normalised';
}

export interface Contamination {
  /** Different prompts of the test, and of training. */
  readonly tests: number;
  readonly training: number;
  readonly shared: readonly SharedPrompt[];
}

export function findContamination(tests: Iterable<string>, training: Iterable<string>): Contamination {
  const trained = new Set(training);
  const byNormal = new Map<string, string>();
  for (const prompt of trained) if (!byNormal.has(normalPrompt(prompt))) byNormal.set(normalPrompt(prompt), prompt);
  const distinct = new Set(tests);
  const shared = [...distinct].flatMap((test): SharedPrompt[] => {
    if (trained.has(test)) return [{ test, training: test, match: 'exact' }];
    const same = byNormal.get(normalPrompt(test));
    return same === undefined ? [] : [{ test, training: same, match: 'normalised' }];
  });
  return { tests: distinct.size, training: trained.size, shared };
}

/** The same text for prompts that differ only in how they are written. */
export function normalPrompt(prompt: string): string {
  return prompt
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\p{P}\p{S}\s]+/gu, ' ')
    .replace(/\b(a|an|the) /g, '')
    .trim();
}

/**
 * The prompts of a file: rows of JSON with a `prompt`, or one prompt a line. Rejects with GVU_BENCHMARK_FILE.
 */
export async function readTrainingPrompts(path: string): Promise<readonly string[]> {
  const prompts = textLines(await readText(path)).map(({ text }) => promptOf(text) ?? text.trim());
  if (prompts.length === 0) throw fileError(path, 'has no prompts');
  return prompts;
}

function promptOf(line: string): string | undefined {
  try {
    const row: unknown = JSON.parse(line);
    return isRecord(row) && typeof row.prompt === 'string' ? row.prompt : undefined;
  } catch {
    return undefined;
  }
}
