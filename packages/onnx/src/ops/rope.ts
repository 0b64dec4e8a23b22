/**
 * Rotary position embeddings (Su et al. 2021): pairs of dimensions are rotated by an angle that grows with the position. Half-split
 * pairs (i, i + R/2) as in Llama and Qwen, or interleaved pairs (2i, 2i + 1); the first R dimensions are rotated, the
 * rest pass unchanged.
 */
import { emit, type Tensor } from '../graph/graph.ts';
import { add, mul, sub } from './arithmetic.ts';
import { concat, gather, reshape, slice, split, stack, unsqueeze } from './movement.ts';

/** cos and sin of every position and pair [positions, R / 2]. */
export interface RopeTables {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** Rotates x [B, H, T, D] at positions [B, T] (int64). */
export function rope(
  x: Tensor,
  positions: Tensor,
  tables: RopeTables,
  options: { interleaved?: boolean } = {},
): Tensor {
  const { graph } = x.block;
  const { cos, sin } = tables;
  const interleaved = options.interleaved ?? false;
  const rotated = 2 * (cos.shape[1] ?? 0);
  const width = x.shape.at(-1) ?? 0;
  if (rotated < width) {
    const [head, tail = x] = split(x, -1, [rotated, width - rotated]);
    return concat([rope(head, positions, tables, options), tail], -1);
  }
  if (graph.target !== 'reference' && x.dtype !== 'float64')
    return emit(graph, 'RotaryEmbedding', [x, positions, cos, sin], {
      attributes: { interleaved: interleaved ? 1 : 0 },
    })[0];
  const [c, s] = [unsqueeze(gather(cos, positions), 1), unsqueeze(gather(sin, positions), 1)]; // [B, 1, T, R/2]
  if (!interleaved) {
    const [first, second = first] = split(x, -1, [rotated / 2, rotated / 2]);
    return concat([sub(mul(first, c), mul(second, s)), add(mul(second, c), mul(first, s))], -1);
  }
  const [even, odd] = [slice(x, -1, { step: 2 }), slice(x, -1, { start: 1, step: 2 })];
  return reshape(stack([sub(mul(even, c), mul(odd, s)), add(mul(odd, c), mul(even, s))], -1), x.shape);
}
