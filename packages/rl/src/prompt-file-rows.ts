/**
 * Reads a file of prompts into rows; knows nothing of training and evaluation.
 *
 *   .txt     one prompt a line
 *   .jsonl   one object a line: `prompt`, `tag` if there is one, and what the prompt asks for: below `metadata`, or, as in the
 *            metadata files of GenEval, in the object itself, which then is the metadata as a whole
 *
 * UTF-8, with or without a byte order mark; lines end in LF or CRLF; empty lines are passed over and counted.
 */
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { isRecord, type JsonValue } from '@gvu/core';
import { rlErrors } from './errors.ts';
import type { Prompt } from './prompts.ts';

export interface PromptRows {
  /** In the order of the file. */
  readonly prompts: readonly Prompt[];
  /** Lines that are empty or blank. */
  readonly empty: number;
  readonly bytes: Uint8Array;
}

/** Rejects with GVU_PROMPTS_FILE, or with GVU_PROMPTS_LINES for all lines at fault together. */
export async function readPromptRows(path: string): Promise<PromptRows> {
  const parse = { '.txt': parseText, '.jsonl': parseJson }[extname(path).toLowerCase()];
  if (parse === undefined)
    throw rlErrors.error('GVU_PROMPTS_FILE', `${path} is neither a .txt nor a .jsonl file.`, {
      hint: 'Name it .txt for one prompt a line, or .jsonl for one JSON object a line.',
    });
  const { bytes, text } = await readUtf8(path);

  const prompts: Prompt[] = [];
  const problems: LineProblem[] = [];
  let empty = 0;
  // What follows the last line end is a line only when there is something.
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/);
  for (const [i, line] of text === '' ? [] : lines.entries()) {
    const trimmed = line.trim();
    if (trimmed === '') {
      empty++;
      continue;
    }
    const parsed = parse(trimmed);
    if (typeof parsed === 'string') problems.push({ line: i + 1, message: parsed });
    else prompts.push(parsed);
  }
  if (problems.length > 0) throw badLines(path, problems);
  return { prompts, empty, bytes };
}

interface LineProblem {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

function parseText(line: string): Prompt {
  return { prompt: line };
}

/** A prompt, or what is wrong with the line. */
function parseJson(line: string): Prompt | string {
  let row: JsonValue;
  try {
    row = JSON.parse(line);
  } catch {
    return 'is not JSON';
  }
  if (!isRecord(row)) return 'is not a JSON object';
  const { prompt, tag, metadata, ...rest } = row;
  if (typeof prompt !== 'string' || prompt.trim() === '') return 'has no "prompt" that is a string with words';
  if (tag !== undefined && typeof tag !== 'string') return 'has a "tag" that is not a string';
  const asked = metadata ?? (Object.keys(rest).length > 0 ? row : undefined);
  return {
    prompt: prompt.trim(),
    ...(tag !== undefined && { tag }),
    ...(asked !== undefined && { metadata: asked }),
  };
}

async function readUtf8(path: string): Promise<{ bytes: Uint8Array; text: string }> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    const why = missing
      ? 'does not exist'
      : `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw rlErrors.error('GVU_PROMPTS_FILE', `The prompt file ${path} ${why}.`, {
      hint: 'Paths are relative to the working directory.',
      cause,
    });
  }
  try {
    // The decoder takes off a byte order mark.
    return { bytes, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (cause) {
    throw rlErrors.error('GVU_PROMPTS_FILE', `The prompt file ${path} is not UTF-8.`, {
      hint: 'Save it as UTF-8.',
      cause,
    });
  }
}

const namedLines = 10;

function badLines(path: string, problems: readonly LineProblem[]) {
  const named = problems.slice(0, namedLines).map(({ line, message }) => `\n  line ${line} ${message}`);
  const more = problems.length > namedLines ? `\n  and ${problems.length - namedLines} more` : '';
  return rlErrors.error(
    'GVU_PROMPTS_LINES',
    `${path} has ${problems.length === 1 ? 'a line' : `${problems.length} lines`} without a prompt:${named.join('')}${more}\n`,
    { hint: 'Each line must be an object such as {"prompt": "a red cube", "tag": "colors"}.', details: { problems } },
  );
}
