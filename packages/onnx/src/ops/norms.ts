/** Normalisations. Statistics are taken over the last axis, or over the channels of a group and all positions. */
import { dtypes } from '../dtype.ts';
import { constant, emit, type Tensor } from '../graph/graph.ts';
import { add, div, maximum, mul, reciprocal, sqrt, sub } from './arithmetic.ts';
import { mean, sum } from './linear.ts';
import { reshape } from './movement.ts';

/** x / rms(x) over the last axis, times a scale [D] (Zhang & Sennrich 2019). */
export function rmsNorm(x: Tensor, scale: Tensor, epsilon: number): Tensor {
  const { graph } = x.block;
  if (graph.target === 'reference' || x.dtype === 'float64') {
    const inverse = reciprocal(sqrt(add(mean(mul(x, x), [-1], { keepDims: true }), epsilon)));
    return mul(mul(x, inverse), scale);
  }
  return emit(graph, 'SimplifiedLayerNormalization', [x, scale], {
    attributes: { axis: -1, epsilon: { float: epsilon }, stash_type: dtypes.float32.onnx },
  })[0];
}

/** (x - mean) / sqrt(variance + epsilon) over the last axis, times a scale [D], plus a bias [D]. */
export function layerNorm(x: Tensor, options: { scale?: Tensor; bias?: Tensor; epsilon: number }): Tensor {
  const { graph } = x.block;
  const { epsilon } = options;
  const width = x.shape.at(-1) ?? 0;
  const filled = (value: number) => constant(graph, x.dtype, [width], new Array<number>(width).fill(value));
  if (graph.target !== 'reference' && x.dtype !== 'float64')
    return emit(graph, 'LayerNormalization', [x, options.scale ?? filled(1), options.bias ?? filled(0)], {
      attributes: { axis: -1, epsilon: { float: epsilon }, stash_type: dtypes.float32.onnx },
    })[0];
  const normal = standardise(x, [-1], epsilon);
  const scaled = options.scale ? mul(normal, options.scale) : normal;
  return options.bias ? add(scaled, options.bias) : scaled;
}

/** Standardises x [N, C, ...] over each of `groups` groups of channels; then a scale [C] and a bias [C]. */
export function groupNorm(
  x: Tensor,
  groups: number,
  options: { scale?: Tensor; bias?: Tensor; epsilon: number },
): Tensor {
  const [batch = 0, channels = 0] = x.shape;
  const normal = reshape(standardise(reshape(x, [batch, groups, -1]), [-1], options.epsilon), x.shape);
  const perChannel = (tensor: Tensor) => reshape(tensor, [channels, ...x.shape.slice(2).map(() => 1)]);
  const scaled = options.scale ? mul(normal, perChannel(options.scale)) : normal;
  return options.bias ? add(scaled, perChannel(options.bias)) : scaled;
}

/** x divided by its Euclidean norm along an axis (by epsilon where the norm is smaller). */
export function l2Normalise(x: Tensor, axis: number, epsilon: number): Tensor {
  const norm = sqrt(sum(mul(x, x), [axis], { keepDims: true }));
  return div(x, maximum(norm, epsilon));
}

function standardise(x: Tensor, axes: readonly number[], epsilon: number): Tensor {
  const centred = sub(x, mean(x, axes, { keepDims: true }));
  const variance = mean(mul(centred, centred), axes, { keepDims: true });
  return mul(centred, reciprocal(sqrt(add(variance, epsilon))));
}
