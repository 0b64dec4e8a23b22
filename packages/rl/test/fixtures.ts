/**
 * Where parity tests find their references: `fixtures/` of the repository, or the folder that the environment variable
 * GVU_FIXTURES names, which then holds fixtures of the same form with other sizes and seeds.
 */
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(process.env.GVU_FIXTURES ?? join(import.meta.dirname, '../../../fixtures'));

/** The directory of a fixture. */
export function fixture(name: string): string {
  const directory = join(root, name);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory())
    throw new Error(`No fixture '${name}' in ${root}.`);
  return directory;
}
