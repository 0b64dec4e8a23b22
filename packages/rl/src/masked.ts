/** Sums and means over the decisions that count, in the graph. `active` is the mask as numbers, 1 or 0: [B, T]. */
import { div, maximum, mean, mul, reduceMax, sum, type Tensor } from '@gvu/onnx';

/** Decisions that count in each row, at least 1: [B, 1]. */
export function rowCounts(active: Tensor): Tensor {
  return maximum(sum(active, [1], { keepDims: true }), 1);
}

/** Mean of each row: [B, T] -> [B, 1]. */
export function rowMeans(x: Tensor, active: Tensor): Tensor {
  return div(sum(mul(x, active), [1], { keepDims: true }), rowCounts(active));
}

/** Mean over all decisions; of values per row [B, 1], the mean over rows. Scalar. */
export function maskedMean(x: Tensor, active: Tensor): Tensor {
  if (x.shape[1] === 1 && active.shape[1] !== 1) return mean(x);
  return div(sum(mul(x, active)), maximum(sum(active), 1));
}

/** Maximum over all decisions (or rows) of values from 0 up. Scalar. */
export function maskedMax(x: Tensor, active: Tensor): Tensor {
  return reduceMax(x.shape[1] === 1 ? x : mul(x, active));
}
