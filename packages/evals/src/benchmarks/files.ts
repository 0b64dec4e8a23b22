/** The text files of benchmarks: JSON lines, plain lines, and tables of comma- or tab-separated values. No file is held in memory whole but the small ones. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { GvuError, JsonValue } from '@gvu/core';
import { evalsErrors } from '../errors.ts';

/** A file of the package's own `data`; the same from `src/benchmarks` and from `dist/benchmarks`. */
export function dataFile(path: string): string {
  return fileURLToPath(new URL(`../../data/${path}`, import.meta.url));
}

/** UTF-8, a byte order mark taken off. Rejects with GVU_BENCHMARK_FILE. */
export async function readText(path: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Lines that are not blank, with their numbers from 1. */
export function textLines(text: string): readonly { readonly number: number; readonly text: string }[] {
  return text
    .split(/\r?\n/)
    .map((line, i) => ({ number: i + 1, text: line }))
    .filter((line) => line.text.trim() !== '');
}

export interface JsonLine {
  readonly value: JsonValue;
  /** The line itself, as it stands in the file. */
  readonly raw: string;
}

/** Rejects with GVU_BENCHMARK_FILE that names every line that is not JSON. */
export async function readJsonLines(path: string): Promise<readonly JsonLine[]> {
  const bad: number[] = [];
  const rows = textLines(await readText(path)).flatMap(({ number, text }): JsonLine[] => {
    try {
      // What JSON.parse gives is JSON.
      return [{ value: JSON.parse(text) as JsonValue, raw: text }];
    } catch {
      bad.push(number);
      return [];
    }
  });
  if (bad.length > 0) throw fileError(path, `has lines that are not JSON: ${bad.slice(0, 10).join(', ')}`);
  return rows;
}

/**
 * The rows of a table with a header, as pandas writes it: fields in double quotes may hold separators and line ends, and a double quote
 * as two. Rejects with GVU_BENCHMARK_FILE for a file that cannot be read, lacks one of the columns, or ends within quotes.
 */
export async function* readTable(
  path: string,
  { separator, columns }: { separator: ',' | '\t'; columns: readonly string[] },
): AsyncGenerator<Readonly<Record<string, string>>> {
  let header: readonly string[] | undefined;
  for await (const fields of tableRows(path, separator)) {
    if (header === undefined) {
      header = fields.map((name) => name.replace(/^\ufeff/, '').trim());
      const missing = columns.filter((name) => header?.includes(name) !== true);
      if (missing.length > 0)
        throw fileError(path, `has no column ${missing.join(', ')}; its columns are ${header.join(', ')}`);
      continue;
    }
    const names = header;
    if (fields.length === 1 && fields[0] === '') continue;
    yield Object.fromEntries(names.map((name, i) => [name, fields[i] ?? '']));
  }
  if (header === undefined) throw fileError(path, 'is empty');
}

async function* tableRows(path: string, separator: string): AsyncGenerator<readonly string[]> {
  let fields: string[] = [];
  // Parts of the field that is being read: images are megabytes long, so that strings are joined once.
  let parts: string[] = [];
  let state: 'plain' | 'quoted' | 'quote-in-quoted' = 'plain';
  const special = new RegExp(`["\\n${separator}]`, 'g');
  const end = () => {
    fields.push(parts.join('').replace(/\r$/, ''));
    parts = [];
  };
  try {
    for await (const chunk of createReadStream(path, 'utf8')) {
      const text = String(chunk);
      let at = 0;
      while (at < text.length) {
        if (state === 'quoted') {
          const quote = text.indexOf('"', at);
          parts.push(text.slice(at, quote < 0 ? text.length : quote));
          at = quote < 0 ? text.length : quote + 1;
          if (quote >= 0) state = 'quote-in-quoted';
          continue;
        }
        if (state === 'quote-in-quoted') {
          state = text[at] === '"' ? 'quoted' : 'plain';
          if (state === 'quoted') {
            parts.push('"');
            at++;
          }
          continue;
        }
        special.lastIndex = at;
        const found = special.exec(text);
        parts.push(text.slice(at, found?.index ?? text.length));
        at = (found?.index ?? text.length) + 1;
        if (found?.[0] === '"') {
          // Only a field that begins with a quote is quoted.
          if (parts.every((part) => part === '')) state = 'quoted';
          else parts.push('"');
        } else if (found) {
          end();
          if (found[0] === '\n') {
            yield fields;
            fields = [];
          }
        }
      }
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
  if (state === 'quoted') throw fileError(path, 'ends within a field in quotes');
  if (fields.length > 0 || parts.length > 0) {
    end();
    yield fields;
  }
}

export function fileError(path: string, problem: string): GvuError {
  return evalsErrors.error('GVU_BENCHMARK_FILE', `'${path}' ${problem}.`, {
    hint: 'Give the file as its authors published it; docs/guides/benchmarks.md says which.',
  });
}

function unreadable(path: string, cause: unknown): GvuError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return evalsErrors.error('GVU_BENCHMARK_FILE', `'${path}' cannot be read: ${why}.`, {
    hint: 'Check the path; relative ones start at the working directory.',
    cause,
  });
}

/** The first 16 hexadecimal digits of the SHA-256 of texts, with their lengths. */
export function fingerprint(texts: Iterable<string>): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text.length}\n`).update(text);
  return hash.digest('hex').slice(0, 16);
}
