/** Rewritten prompts, and prompts that training has seen. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findContamination, normalPrompt, readTrainingPrompts } from './contamination.ts';
import { genEval } from './geneval/geneval.ts';
import { genEvalPlus } from './geneval-pp/geneval-pp.ts';
import { fileRewriter } from './rewriter.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-prompts-'));
});
afterAll(async () => rm(folder, { recursive: true }));

async function file(rows: readonly unknown[], name = 'rows.jsonl'): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, rows.map((row) => `${typeof row === 'string' ? row : JSON.stringify(row)}\n`).join(''));
  return path;
}

test('rewritten prompts by prompt, in any order', async () => {
  const { items } = await genEval({});
  const few = items.slice(0, 2);
  const path = await file(few.map(({ prompt }) => ({ prompt, rewritten: `${prompt}, in detail` })).reverse());
  const rewriter = await fileRewriter(path, few);
  expect(few.map((item) => rewriter.rewrite(item))).toEqual(few.map(({ prompt }) => `${prompt}, in detail`));
  await expect(fileRewriter(path, items)).rejects.toThrow(/no rewritten prompt for 551 prompts, such as "a photo of a/);
});

test('rewritten prompts in the order of the benchmark, whose metadata must be the same', async () => {
  const items = (await genEval({})).items.slice(-2);
  const rows = items.map(({ metadata }, i) => ({ ...(metadata as object), prompt: `long ${i}` }));
  const rewriter = await fileRewriter(await file(rows), items);
  expect(items.map((item) => rewriter.rewrite(item))).toEqual(['long 0', 'long 1']);
  await expect(fileRewriter(await file(rows.reverse()), items)).rejects.toThrow(/row 1 for something else than/);
  await expect(fileRewriter(await file(rows.slice(1)), items)).rejects.toThrow(/has 1 rows, but the benchmark has 2/);
});

test('prompts are the same but for case, punctuation, articles and spaces', () => {
  expect(normalPrompt('A photo of the  red Cube.')).toBe(normalPrompt('photo of a red cube'));
  const found = findContamination(
    ['a red cube', 'A red cube!', 'a blue cube', 'a red cube'],
    ['a red cube', 'a green cube'],
  );
  expect(found).toEqual({
    tests: 3,
    training: 2,
    shared: [
      { test: 'a red cube', training: 'a red cube', match: 'exact' },
      { test: 'A red cube!', training: 'a red cube', match: 'normalised' },
    ],
  });
});

test('GenEval++ repeats three prompts of GenEval', async () => {
  const [official, plus] = [await genEval({}), await genEvalPlus({})].map(({ items }) =>
    items.map(({ prompt }) => prompt),
  );
  expect(findContamination(plus ?? [], official ?? []).shared).toHaveLength(3);
});

test('training prompts of rows of JSON, and of lines', async () => {
  expect(
    await readTrainingPrompts(await file([{ prompt: 'a cube', nouns: [] }, 'plain words', '{"other": 1}'])),
  ).toEqual(['a cube', 'plain words', '{"other": 1}']);
  await expect(readTrainingPrompts(await file([], 'none.txt'))).rejects.toThrow(/GVU_BENCHMARK_FILE.*has no prompts/);
});
