/** The algorithms of this package, and prompts from a file, as a plugin. The key `gvu` of package.json declares them. */
import { definePlugin } from '@gvu/core';
import { algorithms } from './algorithm.ts';
import type { CispoOptions } from './algorithms/cispo.ts';
import type { GrpoOptions } from './algorithms/grpo.ts';
import type { ReinforcePlusPlusOptions } from './algorithms/reinforce-plus-plus.ts';
import type { RlooOptions } from './algorithms/rloo.ts';
import type { SapoOptions } from './algorithms/sapo.ts';
import type { VespoOptions } from './algorithms/vespo.ts';
import type { PromptFileOptions } from './prompt-file.ts';
import { prompts } from './prompts.ts';

export default definePlugin({
  setup({ provide }) {
    provide(algorithms, 'grpo', async (options: GrpoOptions) => (await import('./algorithms/grpo.ts')).grpo(options));
    provide(algorithms, 'cispo', async (options: CispoOptions) =>
      (await import('./algorithms/cispo.ts')).cispo(options),
    );
    provide(algorithms, 'sapo', async (options: SapoOptions) => (await import('./algorithms/sapo.ts')).sapo(options));
    provide(algorithms, 'vespo', async (options: VespoOptions) =>
      (await import('./algorithms/vespo.ts')).vespo(options),
    );
    provide(algorithms, 'rloo', async (options: RlooOptions) => (await import('./algorithms/rloo.ts')).rloo(options));
    provide(algorithms, 'reinforce-plus-plus', async (options: ReinforcePlusPlusOptions) =>
      (await import('./algorithms/reinforce-plus-plus.ts')).reinforcePlusPlus(options),
    );
    provide(prompts, 'file', async (options: PromptFileOptions) =>
      (await import('./prompt-file.ts')).promptFile(options),
    );
  },
});
