/** The directory of a fixture: below `fixtures/` of the repository, or below what the environment variable GVU_FIXTURES names. */
import { join, resolve } from 'node:path';

export function fixture(name: string): string {
  return join(resolve(process.env.GVU_FIXTURES ?? join(import.meta.dirname, '../../../fixtures')), name);
}
