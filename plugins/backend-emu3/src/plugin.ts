/** The entry of the plugin. The key `gvu` of package.json declares what it provides, with the schema of the options. */
import { definePlugin } from '@gvu/core';
import { backends } from '@gvu/models';
import type { Emu3Options } from './backend.ts';

export default definePlugin({
  setup({ provide }) {
    // What is heavy is imported when a backend is made: every process that lists plugins runs this.
    provide(backends, 'emu3', async (options: Emu3Options, deps) =>
      (await import('./backend.ts')).createEmu3Backend(options, deps),
    );
  },
});
