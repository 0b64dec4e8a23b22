/** The rewards of this package as a plugin. The key `gvu` of package.json declares them, with the schemas of their options. */
import { definePlugin } from '@gvu/core';
import type { GvuOptions, GvuPmiOptions } from './gvu.ts';
import type { JpegSizeOptions } from './jpeg-size.ts';
import { rewards } from './reward.ts';

export default definePlugin({
  setup({ provide }) {
    provide(rewards, 'gvu', async (options: GvuOptions, deps) => (await import('./gvu.ts')).gvu(options, deps));
    provide(rewards, 'gvu-log', async (options: GvuOptions, deps) => (await import('./gvu.ts')).gvuLog(options, deps));
    provide(rewards, 'gvu-pmi', async (options: GvuPmiOptions, deps) =>
      (await import('./gvu.ts')).gvuPmi(options, deps),
    );
    provide(rewards, 'random', async (_options, { seed }) => (await import('./random.ts')).randomReward(seed));
    provide(rewards, 'jpeg-size', async (options: JpegSizeOptions) =>
      (await import('./jpeg-size.ts')).jpegSize(options),
    );
  },
});
