/**
 * Compares the tables of error codes in the source with `docs/reference/errors.md`, in both directions.
 *
 * A table is any export made by `defineErrors` in a file `*errors.ts` below the `src` of a package or plugin: new ones
 * are found by themselves. The page has one section per package, `## <package name>`, and in it one entry per code,
 * `### GVU_CODE` and a paragraph, in alphabetical order.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');

interface Entry {
  package: string;
  code: string;
  text: string;
}

/** Every `<group>/<name>` directory that is a package, with the files below its `src`. */
function errorFiles(): { package: string; file: string }[] {
  return ['packages', 'plugins']
    .filter((group) => existsSync(join(root, group)))
    .flatMap((group) =>
      readdirSync(join(root, group)).flatMap((name) => {
        const manifest = join(root, group, name, 'package.json');
        const src = join(root, group, name, 'src');
        if (!existsSync(manifest) || !existsSync(src)) return [];
        const packageName: string = JSON.parse(readFileSync(manifest, 'utf8')).name;
        return readdirSync(src, { recursive: true, encoding: 'utf8' })
          .filter((file) => file.endsWith('errors.ts'))
          .map((file) => ({ package: packageName, file: join(src, file) }));
      }),
    );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

async function sourceEntries(): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const { package: packageName, file } of errorFiles()) {
    const exported: Record<string, unknown> = await import(pathToFileURL(file).href);
    for (const table of Object.values(exported)) {
      if (!isRecord(table) || !isRecord(table.codes) || typeof table.error !== 'function') continue;
      for (const [code, text] of Object.entries(table.codes)) {
        entries.push({ package: packageName, code, text: String(text) });
      }
    }
  }
  return entries;
}

function pageEntries(markdown: string): Entry[] {
  return markdown
    .split(/^## /m)
    .slice(1)
    .flatMap((section) => {
      const [title = '', ...entries] = section.split(/^### /m);
      return entries.map((entry) => {
        const [code = '', ...text] = entry.split('\n');
        return { package: title.trim(), code: code.trim(), text: text.join('\n').trim() };
      });
    });
}

describe('the reference of error codes', async () => {
  const source = await sourceEntries();
  const page = pageEntries(readFileSync(join(root, 'docs/reference/errors.md'), 'utf8'));
  const name = (entry: Entry): string => `${entry.package} ${entry.code}`;

  test('has an entry for every code of the source, and no other', () => {
    expect(source.length).toBeGreaterThan(0);
    expect(new Set(page.map(name))).toEqual(new Set(source.map(name)));
  });

  test('names each code once, by the convention', () => {
    for (const entries of [source, page]) {
      const codes = entries.map((entry) => entry.code);
      expect(codes.filter((code, i) => codes.indexOf(code) !== i)).toEqual([]);
      expect(codes.filter((code) => !/^GVU(_[A-Z0-9]+){2,}$/.test(code))).toEqual([]);
    }
  });

  test('lists the codes of a package in alphabetical order', () => {
    for (const packageName of new Set(page.map((entry) => entry.package))) {
      const codes = page.filter((entry) => entry.package === packageName).map((entry) => entry.code);
      expect(codes).toEqual([...codes].sort());
    }
  });

  test('explains each code in at least two sentences', () => {
    const short = page.filter((entry) => entry.text.split(/[.:;](?:\s|$)/).filter(Boolean).length < 2);
    expect(short.map(name)).toEqual([]);
  });
});
