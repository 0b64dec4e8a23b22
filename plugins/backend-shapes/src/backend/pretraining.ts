/** The recipe of this package's models as a contribution: what `gvu pretrain shapes` runs. */
import { join } from 'node:path';
import type { BackendDeps, Pretraining } from '@gvu/models';
import { type PretrainOptions, pretrain } from '../pretrain/pretrain.ts';
import { reportText } from '../pretrain/report.ts';

export function shapesPretraining(recipe: PretrainOptions, { runtime }: BackendDeps): Pretraining {
  return {
    async run({ folder, onProgress, signal }) {
      const report = await pretrain(runtime, recipe, {
        folder,
        ...(onProgress && { onProgress }),
        ...(signal && { signal }),
      });
      return {
        report: reportText(report),
        models: { regular: join(folder, 'regular'), weak: join(folder, 'weak') },
      };
    },
  };
}
