/**
 * Images [N, C, ...spatial] in other sizes: nearest and bilinear interpolation with the sampling points of PyTorch's
 * `interpolate`, and space to channels and back. What is no repetition is a product with a small matrix of weights along each
 * axis, whose gradient is exact and needs no rule; there an infinite element makes its whole line NaN.
 */
import { onnxErrors } from '../errors.ts';
import { constant, emit, type Tensor } from '../graph/graph.ts';
import { typeText } from '../graph/specs/spec.ts';
import { sizeOf } from '../tensor-data.ts';
import { matmul } from './linear.ts';
import { expand, reshape, transpose } from './movement.ts';

/** Each element takes the value of the nearest one at or before it: element floor(i in / out) along every spatial axis. */
export function resizeNearest(x: Tensor, size: readonly number[]): Tensor {
  const { graph } = x.block;
  const [batch = 0, channels = 0, ...spatial] = x.shape;
  requireSize(x, size, spatial.length);
  const factors = size.map((length, i) => length / (spatial[i] ?? 1));
  if (!factors.every(Number.isInteger))
    return spatial.reduce((y, from, i) => resample(y, i + 2, nearestWeights(from, size[i] ?? 0)), x);
  if (factors.every((factor) => factor === 1)) return x;
  if (graph.target !== 'reference' && x.dtype !== 'float64')
    return emit(
      graph,
      'Resize',
      [x, undefined, undefined, constant(graph, 'int64', [size.length + 2], [batch, channels, ...size])],
      {
        attributes: { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
      },
    )[0];
  const apart = reshape(x, [batch, channels, ...spatial.flatMap((length) => [length, 1])]);
  const repeated = spatial.flatMap((length, i) => [length, factors[i] ?? 1]);
  return reshape(expand(apart, [batch, channels, ...repeated]), [batch, channels, ...size]);
}

/**
 * Linear interpolation along the last two axes of x [.., H, W], without antialiasing; beyond the outermost centres the edge
 * repeats. With `alignCorners` the corner elements keep their places, without it the corners of the image do.
 */
export function resizeBilinear(
  x: Tensor,
  size: readonly [height: number, width: number],
  options: { alignCorners?: boolean } = {},
): Tensor {
  const { alignCorners = false } = options;
  const rank = x.shape.length;
  const [height = 0, width = 0] = x.shape.slice(-2);
  requireSize(x, size, 2);
  const wide = resample(x, rank - 1, linearWeights(width, size[1], alignCorners));
  return resample(wide, rank - 2, linearWeights(height, size[0], alignCorners));
}

/** [N, C f², H, W] -> [N, C, H f, W f]: groups of f² channels become blocks of f x f elements, row by row. */
export function pixelShuffle(x: Tensor, factor: number): Tensor {
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const kept = channels / factor ** 2;
  requireDivisible(x, factor, [kept]);
  const apart = reshape(x, [batch, kept, factor, factor, height, width]);
  return reshape(transpose(apart, [0, 1, 4, 2, 5, 3]), [batch, kept, height * factor, width * factor]);
}

/** [N, C, H f, W f] -> [N, C f², H, W]: the inverse of `pixelShuffle`. */
export function pixelUnshuffle(x: Tensor, factor: number): Tensor {
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const [rows, columns] = [height / factor, width / factor];
  requireDivisible(x, factor, [rows, columns]);
  const apart = reshape(x, [batch, channels, rows, factor, columns, factor]);
  return reshape(transpose(apart, [0, 1, 3, 5, 2, 4]), [batch, channels * factor ** 2, rows, columns]);
}

/** Weights [to, from] by which the elements of an axis are mixed. */
interface Mixture {
  readonly from: number;
  readonly to: number;
  readonly weights: Float64Array;
}

/** An axis of x mixed anew, as one product. */
function resample(x: Tensor, axis: number, { from, to, weights }: Mixture): Tensor {
  if (from === to) return x;
  const matrix = constant(x.block.graph, x.dtype, [to, from], weights);
  if (axis === x.shape.length - 1) return matmul(x, matrix, { transB: true });
  const lead = x.shape.slice(0, axis);
  const lines = reshape(x, [...lead, from, sizeOf(x.shape.slice(axis + 1))]);
  return reshape(matmul(matrix, lines), x.shape.with(axis, to));
}

/** PyTorch computes in / out in float32, which shows where it is not exact. */
function nearestWeights(from: number, to: number): Mixture {
  const scale = Math.fround(from / to);
  const weights = new Float64Array(to * from);
  for (let i = 0; i < to; i++) weights[i * from + Math.min(Math.floor(Math.fround(i * scale)), from - 1)] = 1;
  return { from, to, weights };
}

function linearWeights(from: number, to: number, alignCorners: boolean): Mixture {
  const weights = new Float64Array(to * from);
  for (let i = 0; i < to; i++) {
    const centre = alignCorners ? (to > 1 ? (i * (from - 1)) / (to - 1) : 0) : ((i + 0.5) * from) / to - 0.5;
    const place = Math.min(Math.max(centre, 0), from - 1);
    const low = Math.floor(place);
    const high = Math.min(low + 1, from - 1);
    weights[i * from + low] = (weights[i * from + low] ?? 0) + 1 - (place - low);
    weights[i * from + high] = (weights[i * from + high] ?? 0) + place - low;
  }
  return { from, to, weights };
}

function requireSize(x: Tensor, size: readonly number[], axes: number): void {
  if (size.length === axes && size.every((length) => Number.isInteger(length) && length > 0)) return;
  throw onnxErrors.error('GVU_GRAPH_SHAPE', `${typeText(x)} cannot be resized to [${size.join(', ')}].`, {
    hint: `Give ${axes} lengths from 1, one for each spatial axis.`,
  });
}

function requireDivisible(x: Tensor, factor: number, results: readonly number[]): void {
  if (x.shape.length === 4 && results.every((length) => Number.isInteger(length))) return;
  throw onnxErrors.error('GVU_GRAPH_SHAPE', `${typeText(x)} does not fall into blocks of ${factor} x ${factor}.`, {
    hint: 'Images are [N, C, H, W].',
  });
}
