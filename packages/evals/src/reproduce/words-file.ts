/** The result of reading wordings with one base, as a file: `words-<base>/words.json` in the folder of a reproduction. */
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defineConfig } from '@gvu/core';
import { evalsErrors } from '../errors.ts';
import { replaceFile } from '../report.ts';
import type { ReadWording } from './wordings.ts';

export interface WordsResult {
  /** The name of the model in the report. */
  readonly base: string;
  /** The folder of the result, as the report names it. */
  readonly folder: string;
  readonly backend: { readonly name: string; readonly version: string };
  readonly wordings: { readonly name: string; readonly version: string };
  readonly seed: number;
  readonly list: readonly ReadWording[];
}

/** Where the result for a base lies, relative to the folder of the reproduction. */
export function wordsFolder(base: string): string {
  return `words-${base}`;
}

const fileName = 'words.json';
const text = { type: 'string' } as const;
const named = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'version'],
  properties: { name: text, version: text },
} as const;
const reward = { type: 'number', minimum: 0, maximum: 1 } as const;
const schema = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['base', 'folder', 'backend', 'wordings', 'seed', 'list'],
  properties: {
    base: text,
    folder: text,
    backend: named,
    wordings: named,
    seed: { type: 'integer' },
    list: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['kind', 'full', 'removed', 'replaced', 'rewards'],
        properties: {
          kind: text,
          full: text,
          removed: text,
          replaced: text,
          rewards: {
            type: 'object',
            additionalProperties: false,
            required: ['full', 'removed', 'replaced'],
            properties: { full: reward, removed: reward, replaced: reward },
          },
        },
      },
    },
  },
});

/** @throws GVU_REPORT_WRITE */
export async function writeWordsResult(directory: string, result: WordsResult): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
    await replaceFile(join(directory, fileName), `${JSON.stringify(result, null, 1)}\n`);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw evalsErrors.error('GVU_REPORT_WRITE', `'${directory}' could not be written: ${reason}.`, { cause });
  }
}

/** Undefined when there is none. @throws GVU_REPORT_RUN when it is damaged */
export async function readWordsResult(directory: string): Promise<WordsResult | undefined> {
  const path = join(directory, fileName);
  if (!existsSync(path)) return undefined;
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')), { source: `'${path}'` });
  } catch (cause) {
    throw evalsErrors.error('GVU_REPORT_RUN', `'${path}' is damaged.`, {
      hint: 'Remove it, and it is measured again.',
      cause,
    });
  }
}
