/** The package as a plugin. The key `gvu` of package.json declares what it contributes, with the schemas of the options. */
import { definePlugin } from '@gvu/core';
import { benchmarks, judges, wordings } from '@gvu/evals';
import { backends, pretrainings } from '@gvu/models';
import { rewards } from '@gvu/rewards';
import { exams, prompts } from '@gvu/rl';
import type { ShapesBackendOptions } from './backend/backend.ts';
import type { ModelChoice } from './backend/model-folder.ts';
import type { PretrainOptions } from './pretrain/pretrain.ts';
import type { PromptWeights } from './world/index.ts';

interface WorldOptions {
  readonly model: ModelChoice;
}

interface BenchmarkOptions extends WorldOptions {
  readonly perTask: number;
}

export default definePlugin({
  setup({ provide }) {
    provide(backends, 'shapes', async (options: ShapesBackendOptions, deps) =>
      (await import('./backend/backend.ts')).createShapesBackend(options, deps),
    );
    provide(prompts, 'shapes', async ({ model, weights }: WorldOptions & { weights: PromptWeights }) =>
      (await import('./backend/prompts.ts')).shapesPrompts({ world: await worldOf(model), weights }),
    );
    provide(rewards, 'detector', async ({ model }: WorldOptions) =>
      (await import('./backend/detector.ts')).detectorReward(await worldOf(model)),
    );
    provide(rewards, 'bag-of-words', async ({ model }: WorldOptions) =>
      (await import('./backend/bag-of-words.ts')).bagOfWordsReward(await worldOf(model)),
    );
    provide(exams, 'shapes', async ({ model }: WorldOptions) =>
      (await import('./backend/exam.ts')).shapesExam(await worldOf(model)),
    );
    provide(wordings, 'shapes', async ({ model }: WorldOptions) =>
      (await import('./backend/wordings.ts')).shapesWordings(await worldOf(model)),
    );
    provide(benchmarks, 'shapes-geneval', async ({ model, perTask }: BenchmarkOptions) =>
      (await import('./backend/benchmarks.ts')).shapesGenEval({ world: await worldOf(model), perTask }),
    );
    provide(benchmarks, 'shapes-geneval-pp', async ({ model, perTask }: BenchmarkOptions) =>
      (await import('./backend/benchmarks.ts')).shapesGenEvalPlus({ world: await worldOf(model), perTask }),
    );
    provide(judges, 'shapes', async ({ model }: WorldOptions) =>
      (await import('./backend/benchmarks.ts')).shapesJudge(await worldOf(model)),
    );
    provide(pretrainings, 'shapes', async (recipe: PretrainOptions, deps) =>
      (await import('./backend/pretraining.ts')).shapesPretraining(recipe, deps),
    );
  },
});

async function worldOf(model: ModelChoice) {
  return (await import('./backend/model-folder.ts')).worldOf(model);
}
