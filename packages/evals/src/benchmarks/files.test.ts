import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readJsonLines, readTable } from './files.ts';

const seed = 20_260_715;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-files-'));
});
afterAll(async () => rm(folder, { recursive: true }));

async function rowsOf(text: string, separator: ',' | '\t' = ',') {
  const path = join(folder, 'table');
  await writeFile(path, text);
  const rows = [];
  for await (const row of readTable(path, { separator, columns: ['a', 'b'] })) rows.push(row);
  return rows;
}

test(`a table is read as it was written, whatever is in its fields (seed ${seed})`, async () => {
  const field = fc.string({ unit: fc.constantFrom('a', ' ', ',', '\t', '"', '\n', 'é'), maxLength: 8 });
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(field, field), { maxLength: 5 }),
      fc.constantFrom(',', '\t'),
      async (rows, separator) => {
        const lines = [['a', 'b'], ...rows].map((row) => row.map(quoted).join(separator));
        expect(await rowsOf(`${lines.join('\r\n')}\n`, separator)).toEqual(rows.map(([a, b]) => ({ a, b })));
      },
    ),
    { seed, numRuns: 60 },
  );
});

test('fields longer than a chunk of the file, quotes within plain fields, blank lines, no line end', async () => {
  const long = 'x"'.repeat(100_000);
  expect(await rowsOf(`\ufeffa,b,c\n${long},2\n\n5" wide,`)).toEqual([
    { a: long, b: '2', c: '' },
    { a: '5" wide', b: '', c: '' },
  ]);
});

test('what is no table or no JSON', async () => {
  await expect(rowsOf('')).rejects.toThrow(/GVU_BENCHMARK_FILE.*is empty/);
  await expect(rowsOf('a,c\n1,2\n')).rejects.toThrow(/has no column b; its columns are a, c/);
  await expect(rowsOf('a,b\n"1,2\n')).rejects.toThrow(/ends within a field in quotes/);
  const path = join(folder, 'rows.jsonl');
  await writeFile(path, '{"a": 1}\n\nnot\n{"b": 2}\n{');
  await expect(readJsonLines(path)).rejects.toThrow(/lines that are not JSON: 3, 5/);
  await writeFile(path, Buffer.of(0xff, 0xfe));
  await expect(readJsonLines(path)).rejects.toThrow(/GVU_BENCHMARK_FILE.*cannot be read/);
});
