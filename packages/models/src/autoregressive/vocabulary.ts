/**
 * Whether the vocabulary of a tokenizer.json is one. The library that reads the file takes it as it is: with a broken table words
 * are left out or become those of others, and a model then draws something else than it was asked for.
 */
import { isRecord } from '@gvu/core';

/** What is wrong with it, empty if nothing. `size` is how many ids the model knows, where that is known. */
export function vocabularyProblems(
  json: Readonly<Record<string, unknown>>,
  size = Number.POSITIVE_INFINITY,
): readonly string[] {
  const table = isRecord(json.model) ? json.model.vocab : undefined;
  // Unigram models have a list of pieces with their scores, all others a table of ids.
  const words: readonly (readonly [name: unknown, id: unknown])[] = Array.isArray(table)
    ? table.map((piece: unknown, id) => [Array.isArray(piece) ? piece[0] : undefined, id])
    : isRecord(table)
      ? Object.entries(table)
      : [];
  if (words.length === 0) return ['its vocabulary has no token'];
  const added = Array.isArray(json.added_tokens) ? json.added_tokens.filter(isRecord) : [];
  const ids = new Map<unknown, unknown>();
  const names = new Map<unknown, unknown>();
  const problems: string[] = [];
  for (const [name, id] of [...words, ...added.map(({ content, id }) => [content, id] as const)]) {
    const shown = `'${String(name)}'`;
    const known = names.get(id) ?? name;
    if (typeof name !== 'string') problems.push(`the token with the id ${JSON.stringify(id)} has no name`);
    else if (typeof id !== 'number' || !Number.isInteger(id) || id < 0)
      problems.push(`${shown} has the id ${JSON.stringify(id)}, which is no whole number from 0`);
    else if (id >= size) problems.push(`${shown} has the id ${id}, and the model knows ${size}`);
    else if ((ids.get(name) ?? id) !== id) problems.push(`${shown} has the ids ${ids.get(name)} and ${id}`);
    else if (known !== name) problems.push(`'${String(known)}' and ${shown} have the same id ${id}`);
    ids.set(name, id);
    names.set(id, name);
  }
  return problems;
}
