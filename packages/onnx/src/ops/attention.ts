/**
 * Scaled dot-product attention with grouped key/value heads, in two forms: `attention` over whole sequences, which has a gradient, and
 * `cachedAttention` for decoding against keys and values of earlier tokens.
 *
 * Masks are additive (0 to see, a large negative number not to), so that causality, padding and biases are one tensor. A row
 * that may see nothing attends to everything alike: finite, and to be ignored.
 */

import type { DType } from '../dtype.ts';
import { constant, emit, type Graph, type Tensor } from '../graph/graph.ts';
import { add, cast, mul } from './arithmetic.ts';
import { matmul, softmax } from './linear.ts';
import { concat, reshape, unsqueeze } from './movement.ts';

/** Hides a key. Finite in float16 too, and twice of it (two masks added) as well. */
const HIDDEN = -30_000;

interface AttentionOptions {
  /** Additive, broadcasts to [B, H, T, S]. */
  mask?: Tensor | undefined;
  /** Of the products; 1 / sqrt(D) by default. */
  scale?: number;
}

/** q [B, H, T, D], k [B, Hkv, S, D], v [B, Hkv, S, E] -> [B, H, T, E]. H is a multiple of Hkv. */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const [batch = 0, heads = 0, length = 0, width = 0] = q.shape;
  const [kvHeads = 0, keys = 0] = k.shape.slice(1);
  const { mask, scale = 1 / Math.sqrt(width) } = options;
  const group = heads / kvHeads;
  // Query heads that share keys become more rows of one product: keys and values are never repeated.
  const grouped = reshape(q, [batch, kvHeads, group * length, width]);
  const scores = reshape(matmul(grouped, k, { transB: true, alpha: scale }), [batch, heads, length, keys]);
  const weights = softmax(mask ? add(scores, mask) : scores);
  return reshape(matmul(reshape(weights, [batch, kvHeads, group * length, keys]), v), [
    batch,
    heads,
    length,
    v.shape[3] ?? 0,
  ]);
}

/**
 * Attention of new tokens to themselves and all before them; gives the grown cache. q [B, H, T, D], k and v [B, Hkv, T, D], past
 * [B, Hkv, P, D] (P may be DYNAMIC), mask [B, 1, T, P + T]. With T > 1 the mask must hide what lies ahead.
 */
export function cachedAttention(
  q: Tensor,
  { k, v, pastK, pastV }: { k: Tensor; v: Tensor; pastK: Tensor; pastV: Tensor },
  options: AttentionOptions = {},
): { y: Tensor; k: Tensor; v: Tensor } {
  const { graph } = q.block;
  const [batch = 0, heads = 0, length = 0, width = 0] = q.shape;
  const { mask, scale = 1 / Math.sqrt(width) } = options;
  if (graph.target === 'cpu') {
    const inputs = [q, k, v, mask, pastK, pastV];
    const [y, presentK = k, presentV = v] = emit(graph, 'Attention', inputs, {
      attributes: { scale: { float: scale }, is_causal: 0 },
    });
    return { y, k: presentK, v: presentV };
  }
  const [keys, values] = [concat([pastK, k], 2), concat([pastV, v], 2)];
  const kvHeads = k.shape[1] ?? 0;
  const rows = (heads / kvHeads) * length;
  const scores = matmul(reshape(q, [batch, kvHeads, rows, width]), keys, { transB: true, alpha: scale }); // [B, Hkv, rows, P + T]
  // With one new token the mask is the same for every row of a group; with more it repeats with the heads.
  const hidden =
    mask && length > 1
      ? concat(
          Array.from({ length: heads / kvHeads }, () => mask),
          2,
        )
      : mask;
  const weights = softmax(hidden ? add(scores, hidden) : scores);
  return { y: reshape(matmul(weights, values), [batch, heads, length, width]), k: keys, v: values };
}

/** The additive mask [1, 1, T, T] by which each position sees itself and those before it. */
export function causalMask(graph: Graph, dtype: DType, length: number): Tensor {
  const values = Array.from({ length: length * length }, (_, i) => (i % length <= Math.floor(i / length) ? 0 : HIDDEN));
  return constant(graph, dtype, [1, 1, length, length], values);
}

/** The additive mask [B, 1, 1, T] that hides padding: `real` [B, T] is 1 at tokens and 0 at padding (bool, or any number). */
export function paddingMask(real: Tensor, dtype: DType): Tensor {
  return unsqueeze(mul(add(cast(real, dtype), -1), -HIDDEN), 1, 2);
}
