/** The rewards of this package as a plugin. The key `gvu` of package.json declares them, with the schemas of their options. */
import { definePlugin } from '@gvu/core';
import type { GvuOptions, GvuPmiOptions } from './gvu.ts';
import type { AestheticOptions } from './image-level/aesthetic.ts';
import type { HttpOptions } from './image-level/http.ts';
import type { ImageRewardOptions } from './image-level/image-reward.ts';
import type { SelfVqaOptions, VqaScoreOptions, YesNoOptions } from './image-level/questions.ts';
import type { ClipScoreOptions, HpsV2Options, PickScoreOptions, SiglipOptions } from './image-level/similarity.ts';
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
    provide(rewards, 'clip-score', async (options: ClipScoreOptions, deps) =>
      (await import('./image-level/similarity.ts')).clipScore(options, deps),
    );
    provide(rewards, 'siglip', async (options: SiglipOptions, deps) =>
      (await import('./image-level/similarity.ts')).siglip(options, deps),
    );
    provide(rewards, 'pick-score', async (options: PickScoreOptions, deps) =>
      (await import('./image-level/similarity.ts')).pickScore(options, deps),
    );
    provide(rewards, 'hps-v2', async (options: HpsV2Options, deps) =>
      (await import('./image-level/similarity.ts')).hpsV2(options, deps),
    );
    provide(rewards, 'aesthetic', async (options: AestheticOptions, deps) =>
      (await import('./image-level/aesthetic.ts')).aesthetic(options, deps),
    );
    provide(rewards, 'image-reward', async (options: ImageRewardOptions, deps) =>
      (await import('./image-level/image-reward.ts')).imageReward(options, deps),
    );
    provide(rewards, 'vqa-score', async (options: VqaScoreOptions, deps) =>
      (await import('./image-level/questions.ts')).vqaScore(options, deps),
    );
    provide(rewards, 'yes-no', async (options: YesNoOptions, deps) =>
      (await import('./image-level/questions.ts')).yesNo(options, deps),
    );
    provide(rewards, 'self-vqa', async (options: SelfVqaOptions, deps) =>
      (await import('./image-level/questions.ts')).selfVqa(options, deps),
    );
    provide(rewards, 'http', async (options: HttpOptions) => (await import('./image-level/http.ts')).http(options));
  },
});
