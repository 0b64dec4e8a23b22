/**
 * Prompts from a user's file. Which of them are held out for evaluation is said by a second file, or decided for each prompt by a hash
 * of its text: adding and removing others, or changing their order, moves no prompt from one side to the other.
 *
 * Two prompts are the same when they differ only in case, spacing or Unicode form. The first one counts, so that neither side has a prompt
 * twice, and training has none that is held out.
 */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { defineConfig, fillIntegers, randomStream, shuffled } from '@gvu/core';
import { rlErrors } from './errors.ts';
import { type PromptRows, readPromptRows } from './prompt-file-rows.ts';
import type { Prompt, PromptSource } from './prompts.ts';

export const promptFileConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    path: {
      type: 'string',
      minLength: 1,
      description:
        'A .txt file with one prompt a line, or a .jsonl file with objects such as {"prompt": "a red cube", "tag": "colors"}, as the metadata files of GenEval. Relative to the working directory.',
    },
    heldOutShare: {
      type: 'number',
      minimum: 0,
      exclusiveMaximum: 1,
      description:
        'About this share of the prompts, chosen by a hash of their text, is kept for evaluation. Default: 0.1, or with heldOutPath nothing.',
    },
    heldOutPath: {
      type: 'string',
      minLength: 1,
      description:
        'A second file with the prompts of evaluation, in place of heldOutShare. Training leaves out what is in it.',
    },
  },
  required: ['path'],
});

export type PromptFileOptions = ReturnType<typeof promptFileConfig.parse>;

/** What became of the lines, for people. */
export interface PromptFileCounts {
  /** Lines with a prompt, in all files. */
  readonly rows: number;
  /** Of these, those whose prompt had come before in its file. */
  readonly duplicates: number;
  /** Of these, those of the training file that the held-out file has too. */
  readonly heldOutToo: number;
  /** Lines without a prompt. */
  readonly empty: number;
  /** Prompts to train on, and to evaluate with. */
  readonly train: number;
  readonly heldOut: number;
}

export interface PromptFile extends PromptSource {
  readonly counts: PromptFileCounts;
}

const defaultShare = 0.1;

/**
 * Reads the files. Rejects with GVU_PROMPTS_FILE, GVU_PROMPTS_LINES, GVU_PROMPTS_EMPTY when a file or training has no prompts, and
 * GVU_RL_OPTIONS when both `heldOutShare` and `heldOutPath` are given.
 */
export async function promptFile(options: PromptFileOptions): Promise<PromptFile> {
  const { path, heldOutPath, heldOutShare = defaultShare } = options;
  if (heldOutPath !== undefined && options.heldOutShare !== undefined)
    throw rlErrors.error(
      'GVU_RL_OPTIONS',
      `'heldOutShare' is ${heldOutShare}, but 'heldOutPath' already says what is held out.`,
      { hint: 'Leave one of them out.' },
    );
  const files = [await readPromptRows(resolve(path))];
  if (heldOutPath !== undefined) files.push(await readPromptRows(resolve(heldOutPath)));
  const [own = new Map<string, Prompt>(), separate] = files.map(distinct);
  const train: Prompt[] = [];
  const chosen: Prompt[] = [];
  for (const [text, prompt] of own) {
    const isHeldOut = separate ? separate.has(text) : hashShare(text) < heldOutShare;
    (isHeldOut ? chosen : train).push(prompt);
  }
  const heldOut = separate ? [...separate.values()] : chosen;

  const rows = sum(files.map(({ prompts }) => prompts.length));
  const counts: PromptFileCounts = {
    rows,
    duplicates: rows - own.size - (separate?.size ?? 0),
    heldOutToo: separate ? chosen.length : 0,
    empty: sum(files.map(({ empty }) => empty)),
    train: train.length,
    heldOut: heldOut.length,
  };
  const barren = (problem: string) =>
    rlErrors.error('GVU_PROMPTS_EMPTY', `${problem}; ${counts.empty} lines are empty.`, {
      hint: 'Give it more prompts, or hold out fewer.',
      details: { ...counts },
    });
  if (own.size === 0) throw barren(`${path} has no prompts`);
  if (separate?.size === 0) throw barren(`${heldOutPath} has no prompts`);
  if (train.length === 0) throw barren(`All ${own.size} prompts of ${path} are held out`);

  const index = new Int32Array(1);
  const byTag = groupByTag(heldOut);
  return {
    name: 'file',
    version: versionOf(files, heldOutPath === undefined ? heldOutShare : 'file'),
    counts,
    description: describe(counts),
    listed: [...train, ...heldOut],
    train(address) {
      fillIntegers(index, address, { low: 0, high: train.length });
      const prompt = train[index[0] ?? 0];
      if (prompt === undefined) throw new RangeError('An index lies outside the prompts.');
      return prompt;
    },
    heldOut({ seed, perTag }) {
      const stream = randomStream(seed, 'prompts/file/held-out');
      return byTag.flatMap((prompts, tag) => shuffled(prompts, stream.at(tag)).slice(0, perTag));
    },
  };
}

function describe({ rows, duplicates, heldOutToo, empty, train, heldOut }: PromptFileCounts): string {
  const count = (n: number) => n.toLocaleString('en-US');
  const passedOver = [
    ...(empty > 0 ? [`${count(empty)} empty`] : []),
    ...(duplicates > 0 ? [`${count(duplicates)} repeated`] : []),
    ...(heldOutToo > 0 ? [`${count(heldOutToo)} also held out`] : []),
  ];
  const lines = `${count(rows + empty)} lines${passedOver.length > 0 ? ` (${passedOver.join(', ')})` : ''}`;
  return `${lines}: ${count(train)} prompts to train on, ${count(heldOut)} held out`;
}

/** The prompts of a file by their normal form, the first of each. */
function distinct({ prompts }: PromptRows): ReadonlyMap<string, Prompt> {
  const byText = new Map<string, Prompt>();
  for (const prompt of prompts) {
    const key = prompt.prompt.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ');
    if (!byText.has(key)) byText.set(key, prompt);
  }
  return byText;
}

/** A fixed place of a text in [0, 1), spread evenly over texts. */
function hashShare(text: string): number {
  const digest = createHash('sha256').update(`gvu held-out v1\n${text}`).digest();
  return digest.readUIntBE(0, 6) / 2 ** 48;
}

/** In the order in which tags first appear; prompts without one are a category too. */
function groupByTag(prompts: readonly Prompt[]): readonly (readonly Prompt[])[] {
  const groups = new Map<string | undefined, Prompt[]>();
  for (const prompt of prompts) {
    const group = groups.get(prompt.tag);
    if (group) group.push(prompt);
    else groups.set(prompt.tag, [prompt]);
  }
  return [...groups.values()];
}

function versionOf(files: readonly PromptRows[], heldOut: number | string): string {
  const hash = createHash('sha256').update(`1 ${heldOut}`);
  // Lengths keep what is moved from one file to the other from giving the same version.
  for (const { bytes } of files) hash.update(`\n${bytes.length}\n`).update(bytes);
  return hash.digest('hex').slice(0, 16);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
