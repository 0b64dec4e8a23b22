/**
 * What the guides quote must be what the files say: a code block that begins with the path of a file stands in that file as it is. The
 * files themselves are tested where they are.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'docs/guides');

/** Every quote of a page, with the file that it names. */
function quotes(page: string): readonly { file: string; text: string }[] {
  return [...page.matchAll(/```ts\n\/\/ (\S+)\n(.*?)```/gs)].map(([, file = '', text = '']) => ({ file, text }));
}

describe.each(readdirSync(folder).filter((name) => name.endsWith('.md')))('%s', (name) => {
  const page = readFileSync(join(folder, name), 'utf8');

  it('quotes files as they are', () => {
    for (const { file, text } of quotes(page)) expect(readFileSync(join(root, file), 'utf8'), file).toContain(text);
  });

  it('names its source above every block of TypeScript', () => {
    expect(quotes(page).length).toBe([...page.matchAll(/```ts\n/g)].length);
  });

  it('names files that exist', () => {
    const paths = [...page.matchAll(/`((?:plugins|packages|docs)\/[\w./-]+\.(?:ts|md))`/g)].map(
      ([, path = '']) => path,
    );
    for (const path of paths) expect(() => readFileSync(join(root, path)), path).not.toThrow();
  });
});
