/**
 * Gradient rules of norms and rotary embeddings. They reuse the statistics that the forward operator puts out, keep all
 * sums in float32 or better, and take weighted sums of rows as products with a column, which cost less than a reduction.
 */
import type { Tensor } from '../../graph/graph.ts';
import { add, cast, mul, neg, sub } from '../../ops/arithmetic.ts';
import { matmul } from '../../ops/linear.ts';
import { reshape } from '../../ops/movement.ts';
import { statisticsDType } from '../../ops/norms.ts';
import { rope } from '../../ops/rope.ts';
import type { GradientRules } from '../grad.ts';
import { unbroadcast } from '../unbroadcast.ts';

export const neuralRules = {
  /** With r = 1 / rms: dx = r d scale - x r³ mean(d x scale), dscale = sum(d x r). */
  SimplifiedLayerNormalization: (node, [upstream]) => {
    const [x, scale] = node.inputs;
    const [, r] = node.outputs;
    if (!upstream || !x || !scale || !r) return [];
    const [d, wideX, wideScale] = [wide(upstream), wide(x), wide(scale)];
    const dx = once(() => mul(d, wideX));
    return [
      () => {
        const slope = mul(cubedShare(r, x), rowSum(dx(), wideScale));
        return cast(sub(mul(mul(d, wideScale), r), mul(wideX, slope)), x.dtype);
      },
      () => cast(unbroadcast(mul(dx(), r), scale.shape), scale.dtype),
    ];
  },
  /**
   * With c = x - mean, r = 1 / deviation and D elements a row: dx = r d scale - c slope - level, where
   * slope = (sum(d c scale) + dr) r³ / D and level = (r sum(d scale) - dmean) / D; dscale = sum(d c r).
   */
  LayerNormalization: (node, [upstream, dMean, dR]) => {
    const [x, scale, bias] = node.inputs;
    const [, mean, r] = node.outputs;
    if (!x || !scale || !mean || !r) return [];
    const wideX = wide(x);
    const share = 1 / (x.shape.at(-1) ?? 1);
    if (!upstream)
      return [
        // Only the statistics are used: one multiplication and one subtraction of the size of x.
        () => {
          const slope = mul(cubedShare(r, x), dR ?? mul(r, 0));
          const level = mul(dMean ?? mul(mean, 0), -share);
          return cast(sub(sub(mul(mean, slope), level), mul(wideX, slope)), x.dtype);
        },
      ];
    const [d, wideScale] = [wide(upstream), wide(scale)];
    const c = once(() => sub(wideX, mean));
    const dc = once(() => mul(d, c()));
    return [
      () => {
        const along = rowSum(dc(), wideScale);
        const fall = mul(r, rowSum(d, wideScale));
        const slope = mul(cubedShare(r, x), dR ? add(along, dR) : along);
        const level = mul(dMean ? sub(fall, dMean) : fall, share);
        return cast(sub(sub(mul(mul(d, wideScale), r), mul(c(), slope)), level), x.dtype);
      },
      () => cast(unbroadcast(mul(dc(), r), scale.shape), scale.dtype),
      bias && (() => cast(unbroadcast(d, bias.shape), bias.dtype)),
    ];
  },
  /** The gradient of a rotation is the rotation back. The tables have none: nobody trains angles. */
  RotaryEmbedding: (node, [d]) => {
    const [, positions, cos, sin] = node.inputs;
    const { interleaved, num_heads } = node.attributes;
    if (!d || !positions || !cos || !sin) return [];
    const options = { interleaved: interleaved === 1, ...(num_heads === undefined ? {} : { heads: num_heads }) };
    return [() => rope(d, positions, { cos, sin: neg(sin) }, options)];
  },
} satisfies GradientRules;

function wide(x: Tensor): Tensor {
  return cast(x, statisticsDType(x.dtype));
}

/** r³ / D [.., 1]. */
function cubedShare(r: Tensor, x: Tensor): Tensor {
  return mul(mul(r, r), mul(r, 1 / (x.shape.at(-1) ?? 1)));
}

/** The sum of each row of x [.., D] weighted by `weights` [D]: [.., 1]. */
function rowSum(x: Tensor, weights: Tensor): Tensor {
  return matmul(x, reshape(weights, [-1, 1]));
}

/** Builds a tensor at the first call only. */
function once(build: () => Tensor): () => Tensor {
  let built: Tensor | undefined;
  return () => {
    built ??= build();
    return built;
  };
}
