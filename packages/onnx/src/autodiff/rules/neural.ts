/** Gradient rules of norms and rotary embeddings. They reuse the statistics that the forward operator puts out. */
import type { Tensor } from '../../graph/graph.ts';
import { cast, mul, neg, sub } from '../../ops/arithmetic.ts';
import { mean } from '../../ops/linear.ts';
import { rope } from '../../ops/rope.ts';
import type { GradientRules } from '../grad.ts';
import { unbroadcast } from '../unbroadcast.ts';

export const neuralRules = {
  /** With u = x / rms and w = d * scale: dx = (w - u mean(w u)) / rms. */
  SimplifiedLayerNormalization: (node, [d]) => {
    const [x, scale] = node.inputs;
    const [, statistic] = node.outputs;
    if (!d || !x || !scale || !statistic) return [];
    const inverse = cast(statistic, x.dtype);
    const unit = once(() => mul(x, inverse));
    return [
      () => {
        const weighted = mul(d, scale);
        return mul(inverse, sub(weighted, mul(unit(), mean(mul(weighted, unit()), [-1], { keepDims: true }))));
      },
      () => unbroadcast(mul(d, unit()), scale.shape),
    ];
  },
  /** With u = (x - mean) / deviation and w = d * scale: dx = (w - mean(w) - u mean(w u)) / deviation. */
  LayerNormalization: (node, [d]) => {
    const [x, scale, bias] = node.inputs;
    const [, average, statistic] = node.outputs;
    if (!d || !x || !scale || !bias || !average || !statistic) return [];
    const inverse = cast(statistic, x.dtype);
    const unit = once(() => mul(sub(x, cast(average, x.dtype)), inverse));
    return [
      () => {
        const weighted = mul(d, scale);
        const centred = sub(weighted, mean(weighted, [-1], { keepDims: true }));
        return mul(inverse, sub(centred, mul(unit(), mean(mul(weighted, unit()), [-1], { keepDims: true }))));
      },
      () => unbroadcast(mul(d, unit()), scale.shape),
      () => unbroadcast(d, bias.shape),
    ];
  },
  /** The gradient of a rotation is the rotation back. */
  RotaryEmbedding: (node, [d]) => {
    const [, positions, cos, sin] = node.inputs;
    if (!d || !positions || !cos || !sin) return [];
    return [() => rope(d, positions, { cos, sin: neg(sin) }, { interleaved: node.attributes.interleaved === 1 })];
  },
} satisfies GradientRules;

/** Builds a tensor at the first call only. */
function once(build: () => Tensor): () => Tensor {
  let built: Tensor | undefined;
  return () => {
    built ??= build();
    return built;
  };
}
