/** The recipe of this package's models as a contribution: what `gvu pretrain shapes` runs. */
import { join } from 'node:path';
import type { BackendDeps, Pretraining, PretrainingResult } from '@gvu/models';
import type { JudgedDrawing } from '../pretrain/evaluate-drawing.ts';
import { type Pretrained, type PretrainOptions, pretrain } from '../pretrain/pretrain.ts';
import { reportText } from '../pretrain/report.ts';
import { fromPlanes } from './planes.ts';

export function shapesPretraining(recipe: PretrainOptions, { runtime }: BackendDeps): Pretraining {
  return {
    async run({ folder, onProgress, signal }) {
      const { report, drawings } = await pretrain(runtime, recipe, {
        folder,
        ...(onProgress && { onProgress }),
        ...(signal && { signal }),
      });
      return {
        report: reportText(report),
        drawings: drawingRows(drawings),
        models: { regular: join(folder, 'regular'), weak: join(folder, 'weak') },
      };
    },
  };
}

function drawingRows({ regular, weak }: Pretrained['drawings']): NonNullable<PretrainingResult['drawings']> {
  const verdict = (drawing: JudgedDrawing | undefined) => (drawing?.correct === true ? 'right' : 'wrong');
  return regular.map((drawing, i) => {
    const { prompt } = drawing.entry.metadata;
    const other = weak[i];
    return {
      label: `${prompt}: regular ${verdict(drawing)}, weak ${verdict(other)}`,
      images: [drawing, ...(other === undefined ? [] : [other])].map(({ pixels }) => fromPlanes(pixels)),
    };
  });
}
