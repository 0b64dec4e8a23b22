/**
 * First values of a network's tensors, from a seed: normal, with the spread that keeps activations near one; norms one, biases zero.
 * Layers that add to a residual stream begin at zero, and embeddings near one: otherwise what a token is, and where, drowns in the
 * first blocks' noise, and places are read at chance after thousands of steps (docs/log.md).
 */
import { fillNormal, randomStream } from '@gvu/core';
import { type FlatEntry, sizeOf, type TensorDataOf } from '@gvu/onnx';

/** What tables of embeddings are drawn with. */
const embeddingSpread = 0.5;

/** Layers that end a network or a residual block. */
const zeros = /^flow\.(output|blocks\.\d+\.down)\.weight$|(o_proj|down_proj|lm_head)\.weight$/;

export function initialValues(
  layout: readonly FlatEntry[],
  seed: number,
): ReadonlyMap<string, TensorDataOf<'float32'>> {
  return new Map(
    layout.map(({ name, shape }) => {
      const data = new Float32Array(sizeOf(shape));
      if (name.endsWith('norm.weight')) data.fill(1);
      else if (shape.length > 1 && !zeros.test(name)) {
        fillNormal(data, randomStream(seed, `shapes/initial/${name}`).at());
        const isTable = /embed|image_/.test(name);
        const spread = isTable ? embeddingSpread : 1 / Math.sqrt(shape[1] ?? 1);
        data.forEach((value, i) => {
          data[i] = value * spread;
        });
      }
      return [name, { dtype: 'float32', shape, data }];
    }),
  );
}
