/**
 * Scaled dot-product attention with grouped key/value heads, in two forms: `attention`, which has a gradient, and `cachedAttention`,
 * which has none and is faster: for decoding against keys and values of earlier tokens, and for scoring.
 *
 * Masks are additive (0 to see, a large negative number not to), so that causality, padding and biases are one tensor; a mask
 * of bools is made additive. A row that may see nothing attends alike to the keys that the fewest masks hide (in float16 by
 * their coarsely rounded products): it is finite, means nothing, and is to be ignored.
 */
import type { DType } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import { constant, emit, type Graph, type Tensor } from '../graph/graph.ts';
import { typeText } from '../graph/specs/spec.ts';
import { add, cast, mul, where } from './arithmetic.ts';
import { matmul, softmax } from './linear.ts';
import { concat, full, reshape, unsqueeze } from './movement.ts';

/** Hides a key: swallows every product added to it, and stays finite where two masks add up. */
function hidden(dtype: DType): number {
  return dtype === 'float16' ? -30_000 : -1e30;
}

export interface AttentionOptions {
  /** Broadcasts to [B, H, T, S]. Bool, true to see; or finite numbers of q's dtype that are added to the products. */
  readonly mask?: Tensor | undefined;
  /** Of the products; 1 / sqrt(D) by default. */
  readonly scale?: number;
}

/** q [B, H, T, D], k [B, Hkv, S, D], v [B, Hkv, S, E] -> [B, H, T, E]. H is a multiple of Hkv; S may be DYNAMIC. */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const [batch = 0, heads = 0, length = 0, width = 0] = q.shape;
  const [kvHeads = 0, keys = 0] = k.shape.slice(1);
  const { scale = 1 / Math.sqrt(width) } = options;
  requireHeads(q, k, v);
  const mask = additive(q, options.mask);
  // Query heads that share keys become more rows of one product: keys and values are never repeated.
  const rows = (heads / kvHeads) * length;
  const products = matmul(reshape(q, [batch, kvHeads, rows, width]), k, { transB: true, alpha: scale });
  const scores = reshape(products, [batch, heads, length, keys]);
  const weights = softmax(mask ? add(scores, mask) : scores);
  const y = matmul(reshape(weights, [batch, kvHeads, rows, keys]), v);
  return reshape(y, [batch, heads, length, v.shape[3] ?? 0]);
}

export interface KeysAndValues {
  /** Of the tokens that q belongs to: k [B, Hkv, T, D], v [B, Hkv, T, E]. */
  readonly k: Tensor;
  readonly v: Tensor;
  /** Of all tokens before them [B, Hkv, P, ..], where P may be DYNAMIC; absent when there are none. */
  readonly pastK?: Tensor | undefined;
  readonly pastV?: Tensor | undefined;
}

/**
 * Attention of new tokens, q [B, H, T, D], to themselves and all before them: y [B, H, T, E] and the grown keys and values. The mask
 * broadcasts to [B, H, T, P + T]; with T > 1 it must hide what lies ahead. The fused form has no gradient.
 */
export function cachedAttention(
  q: Tensor,
  { k, v, pastK, pastV }: KeysAndValues,
  options: AttentionOptions = {},
): { y: Tensor; k: Tensor; v: Tensor } {
  const { graph } = q.block;
  if (graph.target === 'cpu' && q.dtype !== 'float64') {
    const scale = { float: options.scale ?? 1 / Math.sqrt(q.shape[3] ?? 1) };
    const mask = everyRow(additive(q, options.mask), q);
    const inputs = pastK && pastV ? [q, k, v, mask, pastK, pastV] : mask ? [q, k, v, mask] : [q, k, v];
    const [y, presentK = k, presentV = v] = emit(graph, 'Attention', inputs, { attributes: { scale, is_causal: 0 } });
    return { y, k: presentK, v: presentV };
  }
  const [keys, values] = [pastK ? concat([pastK, k], 2) : k, pastV ? concat([pastV, v], 2) : v];
  return { y: attention(q, keys, values, options), k: keys, v: values };
}

/** ONNX Runtime's operator broadcasts a mask over batch and heads, but not over queries. */
function everyRow(mask: Tensor | undefined, q: Tensor): Tensor | undefined {
  const length = q.shape[2] ?? 1;
  if (!mask || mask.shape.at(-2) === length) return mask;
  return add(mask, full(q.block.graph, { dtype: q.dtype, shape: [length, 1] }, 0));
}

/** The additive mask [1, 1, T, past + T] by which each of T positions sees itself and those before it. */
export function causalMask(graph: Graph, dtype: DType, length: number, { past = 0 } = {}): Tensor {
  const keys = past + length;
  const values = Array.from({ length: length * keys }, (_, i) =>
    (i % keys) - past <= Math.floor(i / keys) ? 0 : hidden(dtype),
  );
  return constant(graph, dtype, [1, 1, length, keys], values);
}

/** The additive mask [B, 1, 1, T] that hides padding: `real` [B, T] is 1 at tokens and 0 at padding (bool, or any number). */
export function paddingMask(real: Tensor, dtype: DType): Tensor {
  return unsqueeze(mul(add(cast(real, dtype), -1), -hidden(dtype)), 1, 2);
}

function requireHeads(q: Tensor, k: Tensor, v: Tensor): void {
  const [[, heads = 0, , width], [, kvHeads = 0, keys, depth], [, vHeads, values]] = [q.shape, k.shape, v.shape];
  const ranks = [q, k, v].every(({ shape }) => shape.length === 4);
  if (ranks && heads % kvHeads === 0 && width === depth && kvHeads === vHeads && keys === values) return;
  throw onnxErrors.error(
    'GVU_GRAPH_SHAPE',
    `Queries ${typeText(q)} do not fit keys ${typeText(k)} and values ${typeText(v)}.`,
    {
      hint: 'They are [B, H, T, D], [B, Hkv, S, D] and [B, Hkv, S, E], H a multiple of Hkv.',
    },
  );
}

function additive({ dtype, block }: Tensor, mask: Tensor | undefined): Tensor | undefined {
  if (mask?.dtype !== 'bool') return mask;
  return where(mask, 0, constant(block.graph, dtype, [], [hidden(dtype)]));
}
