/** The packages of GvU that are plugins conform; they lie below this one. */
import { join } from 'node:path';
import * as vitest from 'vitest';
import { pluginConformance } from '../src/plugin.ts';
import { testConformance } from '../src/test-conformance.ts';

for (const name of ['rewards', 'rl', 'evals'])
  testConformance(
    vitest,
    `plugin @gvu/${name}`,
    pluginConformance({ directory: join(import.meta.dirname, '../..', name) }),
  );
