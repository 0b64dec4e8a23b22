/** The version of this package, as its package.json has it. */
import { createRequire } from 'node:module';
import { isRecord } from '@gvu/core';

const manifest: unknown = createRequire(import.meta.url)('../package.json');
export const version = isRecord(manifest) ? String(manifest.version) : 'unknown';
