/** X-Omni as a plugin. The key `gvu` of package.json declares it, with the schema of its options. */
import { definePlugin } from '@gvu/core';
import { backends, footprints } from '@gvu/models';
import type { XOmniOptions } from './options.ts';

export default definePlugin({
  setup({ provide, logger }) {
    provide(backends, 'x-omni', async (options: XOmniOptions, deps) =>
      (await import('./backend.ts')).createXOmniBackend(options, deps, logger.warn),
    );
    provide(footprints, 'x-omni', async (options: XOmniOptions, deps) =>
      (await import('./footprint.ts')).createXOmniFootprint(options, deps),
    );
  },
});
