/**
 * Normalisations. Statistics are taken over the last axes, or over the channels of a group and all positions; in half
 * precision they are float32. `reference` and float64 graphs get the definition written out, others the fused operator.
 */
import { type DType, dtypes } from '../dtype.ts';
import { emit, type Tensor } from '../graph/graph.ts';
import { sizeOf } from '../tensor-data.ts';
import { add, cast, div, maximum, mul, reciprocal, sqrt, sub } from './arithmetic.ts';
import { mean, sum } from './linear.ts';
import { full, reshape } from './movement.ts';

const stash_type = dtypes.float32.onnx;

/** x / rms(x) over the last axis, times a scale [D] if there is one (Zhang & Sennrich 2019). */
export function rmsNorm(x: Tensor, scale: Tensor | undefined, epsilon: number): Tensor {
  const { graph } = x.block;
  if (!isFused(x)) {
    const inverse = reciprocal(sqrt(add(mean(mul(x, x), [-1], { keepDims: true }), epsilon)));
    return scale ? mul(mul(x, inverse), scale) : mul(x, inverse);
  }
  if (x.shape.length === 1) return reshape(rmsNorm(reshape(x, [1, -1]), scale, epsilon), x.shape);
  return emit(graph, 'SimplifiedLayerNormalization', [x, scale ?? ones(x)], {
    attributes: { axis: -1, epsilon: { float: epsilon }, stash_type },
  })[0];
}

export interface NormOptions {
  readonly scale?: Tensor | undefined;
  readonly bias?: Tensor | undefined;
  /** Added to the variance. */
  readonly epsilon: number;
}

/** (x - mean) / sqrt(variance + epsilon) over the last `axes` axes (default 1), times a scale and plus a bias of their shape. */
export function layerNorm(x: Tensor, { scale, bias, epsilon, axes = 1 }: NormOptions & { axes?: number }): Tensor {
  if (axes > 1) {
    const lead = x.shape.slice(0, -axes);
    const merge = (tensor: Tensor | undefined) => tensor && reshape(tensor, [-1]);
    const rows = reshape(x, [...lead, sizeOf(x.shape.slice(-axes))]);
    return reshape(layerNorm(rows, { scale: merge(scale), bias: merge(bias), epsilon }), x.shape);
  }
  // Its gradient takes sums of rows as products of matrices.
  if (isFused(x) && x.shape.length === 1)
    return reshape(layerNorm(reshape(x, [1, -1]), { scale, bias, epsilon }), x.shape);
  if (isFused(x)) return fusedLayerNorm(x, { scale, bias, epsilon })[0];
  const normal = standardise(x, epsilon);
  const scaled = scale ? mul(normal, scale) : normal;
  return bias ? add(scaled, bias) : scaled;
}

/**
 * Standardises x [N, C, ...] over each of `groups` groups of channels and all positions; then a scale [C] and a bias [C].
 *
 * The fused form takes only the statistics from LayerNormalization and applies all in one multiplication and one addition by
 * channel, x k + s: its gradient needs five passes over x instead of ten.
 */
export function groupNorm(x: Tensor, groups: number, { scale, bias, epsilon }: NormOptions): Tensor {
  const [batch = 0, channels = 0, ...spatial] = x.shape;
  const rows = reshape(x, [batch, groups, -1]);
  if (!isFused(x)) {
    const perChannel = (tensor: Tensor) => reshape(tensor, [channels, ...spatial.map(() => 1)]);
    const normal = reshape(standardise(rows, epsilon), x.shape);
    const scaled = scale ? mul(normal, perChannel(scale)) : normal;
    return bias ? add(scaled, perChannel(bias)) : scaled;
  }
  const [, average = rows, inverse = rows] = fusedLayerNorm(rows, { epsilon });
  const perChannel = (tensor: Tensor) => reshape(cast(tensor, 'float32'), [1, groups, channels / groups, 1]);
  const perGroup = (tensor: Tensor) => reshape(tensor, [batch, groups, 1, 1]);
  const k = scale ? mul(perChannel(scale), perGroup(inverse)) : perGroup(inverse);
  const shift = mul(k, perGroup(average));
  const s = bias ? sub(perChannel(bias), shift) : mul(shift, -1);
  const wide = reshape(cast(x, 'float32'), [batch, groups, channels / groups, sizeOf(spatial)]);
  return cast(reshape(add(mul(wide, k), s), x.shape), x.dtype);
}

/**
 * (x - mean) / sqrt(variance + epsilon) by channel of x [N, C, ...], with statistics [C] that training has left: batch
 * normalisation as it is at inference. Everything has a gradient.
 */
export function batchNorm(x: Tensor, options: NormOptions & { mean: Tensor; variance: Tensor }): Tensor {
  const { scale, bias, epsilon } = options;
  const perChannel = (tensor: Tensor) => reshape(tensor, [x.shape[1] ?? 0, ...x.shape.slice(2).map(() => 1)]);
  const inverse = reciprocal(sqrt(add(options.variance, epsilon)));
  const k = scale ? mul(scale, inverse) : inverse;
  const normal = mul(sub(x, perChannel(options.mean)), perChannel(k));
  return bias ? add(normal, perChannel(bias)) : normal;
}

/** x divided by its Euclidean norm along an axis (by epsilon where the norm is smaller, so that zeros have a gradient). */
export function l2Normalise(x: Tensor, axis: number, epsilon: number): Tensor {
  const wide = cast(x, statisticsDType(x.dtype));
  const squares = sum(mul(wide, wide), [axis], { keepDims: true });
  return cast(div(wide, sqrt(maximum(squares, epsilon * epsilon))), x.dtype);
}

/** What sums of many elements of a dtype are taken in. */
export function statisticsDType(dtype: DType): DType {
  return dtypes[dtype].bytes < 4 ? 'float32' : dtype;
}

function isFused(x: Tensor): boolean {
  return x.block.graph.target !== 'reference' && x.dtype !== 'float64';
}

/** y, mean and 1 / standard deviation; the statistics are float32. */
function fusedLayerNorm(x: Tensor, { scale, bias, epsilon }: NormOptions): readonly [Tensor, ...Tensor[]] {
  return emit(x.block.graph, 'LayerNormalization', bias ? [x, scale ?? ones(x), bias] : [x, scale ?? ones(x)], {
    attributes: { axis: -1, epsilon: { float: epsilon }, stash_type },
  });
}

function ones(x: Tensor): Tensor {
  return full(x.block.graph, { dtype: x.dtype, shape: x.shape.slice(-1) }, 1);
}

function standardise(x: Tensor, epsilon: number): Tensor {
  const centred = sub(x, mean(x, [-1], { keepDims: true }));
  const variance = mean(mul(centred, centred), [-1], { keepDims: true });
  return mul(centred, reciprocal(sqrt(add(variance, epsilon))));
}
