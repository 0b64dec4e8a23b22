/**
 * Rewritten prompts: some papers draw longer prompts that a language model has written ("†" rows) and score with the metadata of the
 * short ones. Who rewrites is not told here; a file with the result is all that is needed to repeat such a row.
 */
import { isRecord, type JsonValue } from '@gvu/core';
import type { BenchmarkItem } from './benchmark.ts';
import { fileError, fingerprint, readJsonLines } from './files.ts';

export interface PromptRewriter {
  readonly name: string;
  /** Changes whenever a prompt could be rewritten otherwise. */
  readonly version: string;
  /** What is drawn in place of the prompt. */
  rewrite(item: BenchmarkItem): string;
}

/**
 * Rewritten prompts of a .jsonl file, in one of two forms: rows `{"prompt": ..., "rewritten": ...}` in any order; or a row for each item,
 * in the benchmark's order, with its metadata and another `prompt`, as evaluation_metadata_long.jsonl has for GenEval.
 * Rejects with GVU_BENCHMARK_FILE when an item has no rewritten prompt, or a row is of another item.
 */
export async function fileRewriter(path: string, items: readonly BenchmarkItem[]): Promise<PromptRewriter> {
  const rows = await readJsonLines(path);
  const byPrompt = new Map<string, string>();
  for (const { value } of rows) {
    if (isRecord(value) && typeof value.prompt === 'string' && typeof value.rewritten === 'string')
      byPrompt.set(value.prompt, value.rewritten);
  }
  const rewritten = byPrompt.size > 0 ? items.map(({ prompt }) => byPrompt.get(prompt)) : inOrder(path, rows, items);
  const missing = items.filter((_, i) => rewritten[i] === undefined);
  if (missing.length > 0)
    throw fileError(
      path,
      `has no rewritten prompt for ${missing.length} prompts, such as ${JSON.stringify(missing[0]?.prompt)}`,
    );
  const byId = new Map(items.map(({ id }, i) => [id, rewritten[i] ?? '']));
  return {
    name: 'file',
    version: fingerprint(rows.map(({ raw }) => raw)),
    rewrite: ({ id, prompt }) => byId.get(id) ?? prompt,
  };
}

function inOrder(
  path: string,
  rows: readonly { readonly value: JsonValue }[],
  items: readonly BenchmarkItem[],
): readonly (string | undefined)[] {
  if (rows.length !== items.length)
    throw fileError(path, `has ${rows.length} rows, but the benchmark has ${items.length} prompts`);
  return rows.map(({ value }, i) => {
    const wanted = withoutPrompt(items[i]?.metadata);
    if (!isRecord(value) || typeof value.prompt !== 'string') return undefined;
    if (JSON.stringify(withoutPrompt(value)) !== JSON.stringify(wanted))
      throw fileError(
        path,
        `asks in row ${i + 1} for something else than the benchmark's prompt ${JSON.stringify(items[i]?.prompt)}`,
      );
    return value.prompt;
  });
}

/** What a row asks for, keys in alphabetical order. */
function withoutPrompt(value: JsonValue | undefined): JsonValue | undefined {
  return isRecord(value)
    ? sorted(Object.fromEntries(Object.entries(value).filter(([key]) => key !== 'prompt')))
    : value;
}

function sorted(value: unknown): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isRecord(value)) return value as JsonValue; // a part of a JSON value is one
  return Object.fromEntries(
    Object.keys(value)
      .sort((a, b) => (a < b ? -1 : 1))
      .map((key) => [key, sorted(value[key])]),
  );
}
