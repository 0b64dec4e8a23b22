/** Janus as a plugin. The key `gvu` of package.json declares it, with the schema of its options. */

import { definePlugin } from '@gvu/core';
import { backends, footprints } from '@gvu/models';
import type { JanusOptions } from './options.ts';

export default definePlugin({
  setup({ provide }) {
    provide(backends, 'janus', async (options: JanusOptions, deps) =>
      (await import('./backend.ts')).createJanusBackend(options, deps),
    );
    provide(footprints, 'janus', async (options: JanusOptions, deps) =>
      (await import('./footprint.ts')).createJanusFootprint(options, deps),
    );
  },
});
