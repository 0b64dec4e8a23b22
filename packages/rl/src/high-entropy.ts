/**
 * Which decisions are the uncertain ones: those whose entropy lies in the top share of the micro-batch (Wang et al. 2025, "Beyond
 * the 80/20 rule": a minority of forking tokens carries the learning). The threshold is the linearly interpolated quantile of
 * torch.quantile over the decisions that count.
 */
import {
  add,
  cast,
  floor,
  gather,
  greater,
  greaterOrEqual,
  maximum,
  minimum,
  mul,
  reshape,
  sub,
  sum,
  type Tensor,
  topK,
  where,
} from '@gvu/onnx';

/** 1 for the `share` (0 to 1) of decisions of highest entropy, else 0: [B, T]. Ties at the threshold are all kept. */
export function highEntropy(entropy: Tensor, active: Tensor, share: number): Tensor {
  // Entropies are never negative, so what does not count sorts to the end.
  const flat = reshape(where(greater(active, 0), entropy, -1), [-1]);
  const descending = topK(flat, flat.shape[0] ?? 0).values;
  const last = maximum(sub(sum(active), 1), 0);
  const position = mul(last, share);
  const rank = floor(position);
  const at = (index: Tensor) => gather(descending, cast(index, 'int64'));
  const [above, below] = [at(rank), at(minimum(add(rank, 1), last))];
  const threshold = add(above, mul(sub(below, above), sub(position, rank)));
  return mul(cast(greaterOrEqual(entropy, threshold), entropy.dtype), active);
}
