/**
 * Rotary position embeddings (Su et al. 2021): pairs of dimensions are rotated by an angle that grows with the position. Half-split
 * pairs (i, i + R/2) as in Llama and Qwen, or interleaved pairs (2i, 2i + 1); the first R dimensions of a head are
 * rotated, the rest pass unchanged. The tables of angles, with their scalings, are made elsewhere.
 */
import { onnxErrors } from '../errors.ts';
import { emit, type Tensor } from '../graph/graph.ts';
import { typeText } from '../graph/specs/spec.ts';
import { add, mul, sub } from './arithmetic.ts';
import { concat, gather, reshape, slice, split, stack, unsqueeze } from './movement.ts';

/** cos and sin of every position and pair [positions, R / 2]. */
export interface RopeTables {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

export interface RopeOptions {
  /** Pairs are neighbours (2i, 2i + 1), not halves (i, i + R/2). */
  readonly interleaved?: boolean;
  /** Heads of x [B, T, H * D], where they do not show in its shape. */
  readonly heads?: number;
}

/**
 * Rotates x [B, H, T, D], or [B, T, H * D] with `heads`, at positions [B, T] (int64). Rotating before heads are transposed to the
 * front takes about 0.6 of the time of doing both the other way round.
 */
export function rope(x: Tensor, positions: Tensor, tables: RopeTables, options: RopeOptions = {}): Tensor {
  const { graph } = x.block;
  const { cos, sin } = tables;
  const { interleaved = false } = options;
  const [batch = 0, length = 0] = positions.shape;
  const flat = x.shape.length === 3;
  const heads = flat ? headsOf(x, options.heads) : (x.shape[1] ?? 0);
  const width = flat ? (x.shape[2] ?? 0) / heads : (x.shape[3] ?? 0);
  const rotated = 2 * (cos.shape[1] ?? 0);
  const partial = rotated < width;
  const fused = graph.target !== 'reference' && x.dtype !== 'float64';
  const apart = () => (flat ? reshape(x, [batch, length, heads, width]) : x);

  // The CUDA kernel for a part of each head is not one that could be tested here.
  if (partial && !(fused && graph.target === 'cpu')) {
    const [head, tail = head] = split(apart(), -1, [rotated, width - rotated]);
    const turned = rope(flat ? reshape(head, [batch, length, heads * rotated]) : head, positions, tables, options);
    return reshape(concat([reshape(turned, head.shape), tail], -1), x.shape);
  }
  if (!fused) return reshape(rotate(apart(), positions, tables, { interleaved, headAxis: flat ? 2 : 1 }), x.shape);
  return emit(graph, 'RotaryEmbedding', [x, positions, cos, sin], {
    attributes: {
      interleaved: interleaved ? 1 : 0,
      ...(flat || partial ? { num_heads: heads } : {}),
      ...(partial ? { rotary_embedding_dim: rotated } : {}),
    },
  })[0];
}

/** The definition, on x [B, H, T, R] (headAxis 1) or [B, T, H, R] (headAxis 2). */
function rotate(
  x: Tensor,
  positions: Tensor,
  { cos, sin }: RopeTables,
  { interleaved, headAxis }: { interleaved: boolean; headAxis: 1 | 2 },
): Tensor {
  const half = cos.shape[1] ?? 0;
  const [c, s] = [unsqueeze(gather(cos, positions), headAxis), unsqueeze(gather(sin, positions), headAxis)]; // [B, T, R/2] with 1 head
  if (!interleaved) {
    const [first, second = first] = split(x, -1, [half, half]);
    return concat([sub(mul(first, c), mul(second, s)), add(mul(second, c), mul(first, s))], -1);
  }
  const [even, odd] = [slice(x, -1, { step: 2 }), slice(x, -1, { start: 1, step: 2 })];
  return reshape(stack([sub(mul(even, c), mul(odd, s)), add(mul(odd, c), mul(even, s))], -1), x.shape);
}

function headsOf(x: Tensor, heads: number | undefined): number {
  if (heads !== undefined && (x.shape[2] ?? 0) % heads === 0) return heads;
  throw onnxErrors.error('GVU_GRAPH_SHAPE', `${typeText(x)} does not hold ${heads ?? 'an unknown number of'} heads.`, {
    hint: 'Give x as [B, H, T, D], or as [B, T, H * D] with the number of heads.',
  });
}
