/**
 * Token weights by visual similarity (STAGE, arXiv 2509.25027, first remedy). In a group of images many tokens at one place are nearly
 * the same picture content, such as background, yet winners and losers push them in opposite directions. A decision that
 * looks like those of the members with the opposite advantage therefore counts less in the policy term:
 *
 *   s = mean cosine similarity to the decisions at the same place in members whose advantage has the other sign
 *   policy weight = clip((1 - s) / 2, 0, 1), scaled to mean 1 in the group;  KL weight = 1/2 + clip(s + 1, 0, 1) / 2
 *
 * Differences from the released code: a rollout is never compared with itself (there, one of advantage 0 is), and the mean weight is
 * taken over the group, where the code takes the device's batch, so that results do not depend on how prompts are batched.
 */
import {
  add,
  cast,
  clip,
  div,
  greater,
  less,
  matmul,
  maximum,
  mul,
  reshape,
  sqrt,
  sub,
  sum,
  type Tensor,
  transpose,
  unsqueeze,
  where,
} from '@gvu/onnx';

export interface SimilarityWeights {
  /** [B, T] */
  readonly policy: Tensor;
  readonly kl: Tensor;
}

/** `embeddings` [B, T, D], `advantages` [B, 1], `active` [B, T]; rows are whole groups. */
export function similarityWeights(
  embeddings: Tensor,
  batch: { advantages: Tensor; active: Tensor },
  groupSize: number,
): SimilarityWeights {
  const [rows = 1, length = 1, width = 1] = embeddings.shape;
  const groups = rows / groupSize;
  const seen = where(greater(unsqueeze(batch.active, 2), 0), embeddings, 0);
  const norms = sqrt(maximum(sum(mul(seen, seen), [2], { keepDims: true }), 1e-12));
  const placed = transpose(reshape(div(seen, norms), [groups, groupSize, length, width]), [0, 2, 1, 3]);
  const cosine = matmul(placed, placed, { transB: true }); // [groups, T, G, G]

  const active = transpose(reshape(batch.active, [groups, groupSize, length]), [0, 2, 1]); // [groups, T, G]
  const signs = reshape(batch.advantages, [groups, 1, groupSize, 1]);
  const otherSign = cast(less(mul(signs, transpose(signs, [0, 1, 3, 2])), 0), cosine.dtype); // [groups, 1, G, G]
  const opposed = mul(otherSign, unsqueeze(active, 2)); // [groups, T, G, G]
  const similarity = div(sum(mul(cosine, opposed), [3]), maximum(sum(opposed, [3]), 1)); // [groups, T, G]

  const dissimilar = clip(mul(sub(1, similarity), 0.5), 0, 1);
  const total = sum(mul(dissimilar, active), [1, 2], { keepDims: true });
  const policy = mul(dissimilar, div(sum(active, [1, 2], { keepDims: true }), maximum(total, 1e-6)));
  const kl = add(mul(clip(add(similarity, 1), 0, 1), 0.5), 0.5);
  const inRows = (x: Tensor) => reshape(transpose(x, [0, 2, 1]), [rows, length]);
  return { policy: inRows(policy), kl: inRows(kl) };
}
