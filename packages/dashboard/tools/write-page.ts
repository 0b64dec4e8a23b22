/** Writes the page where the built package looks for it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundlePage } from '../src/bundle.ts';

const folder = join(import.meta.dirname, '../dist/page');
await mkdir(folder, { recursive: true });
for (const [name, text] of Object.entries(await bundlePage())) await writeFile(join(folder, name), text);
