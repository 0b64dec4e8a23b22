/** Builds the page from its sources. Used in a checkout, and once before the package is published; what is published never runs it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { PageFiles } from './index.ts';

export async function bundlePage(): Promise<PageFiles> {
  const folder = join(import.meta.dirname, 'page');
  const { outputFiles } = await build({
    entryPoints: [join(folder, 'page.tsx')],
    outdir: '/',
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    conditions: ['@gvu/source'],
    legalComments: 'none',
    logLevel: 'silent',
  });
  const text = (name: string) => outputFiles.find(({ path }) => path.endsWith(name))?.text ?? '';
  return {
    'index.html': await readFile(join(folder, 'index.html'), 'utf8'),
    'icon.svg': await readFile(join(folder, 'icon.svg'), 'utf8'),
    'page.js': text('page.js'),
    'page.css': text('page.css'),
  };
}
