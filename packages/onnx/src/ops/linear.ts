/** Matrix products, softmax and reductions. */
import { constant, emit, type Tensor } from '../graph/graph.ts';
import { add, mul, sub } from './arithmetic.ts';
import { reshape, transpose } from './movement.ts';

interface ProductOptions {
  /** Use the transpose (of the last two axes) of the left or right factor. */
  transA?: boolean;
  transB?: boolean;
  /** Scales the product. */
  alpha?: number;
}

/** Batched matrix product [.., M, K] x [.., K, N] -> [.., M, N]; batch axes broadcast. */
export function matmul(a: Tensor, b: Tensor, options: ProductOptions = {}): Tensor {
  const { transA = false, transB = false, alpha = 1 } = options;
  const { graph } = a.block;
  if (!transA && !transB && alpha === 1) return emit(graph, 'MatMul', [a, b], { attributes: {} })[0];
  if (graph.target === 'reference' || a.dtype === 'float64') {
    const product = emit(graph, 'MatMul', [transA ? swapLast(a) : a, transB ? swapLast(b) : b], { attributes: {} })[0];
    return alpha === 1 ? product : mul(product, alpha);
  }
  return emit(graph, 'FusedMatMul', [a, b], {
    attributes: { transA: transA ? 1 : 0, transB: transB ? 1 : 0, alpha: { float: alpha } },
  })[0];
}

/** Product of two matrices, plus an addend that broadcasts to it: alpha A B + C. Cheaper than `matmul` and `add`. */
export function gemm(a: Tensor, b: Tensor, options: ProductOptions & { addend?: Tensor | undefined } = {}): Tensor {
  const { transA = false, transB = false, alpha = 1, addend } = options;
  // The attribute is a float32, which would round a factor of float64.
  if (a.dtype === 'float64' && Math.fround(alpha) !== alpha) {
    const scaled = mul(gemm(a, b, { transA, transB }), alpha);
    return addend ? add(scaled, addend) : scaled;
  }
  return emit(a.block.graph, 'Gemm', addend ? [a, b, addend] : [a, b], {
    attributes: { transA: transA ? 1 : 0, transB: transB ? 1 : 0, alpha: { float: alpha }, beta: { float: 1 } },
  })[0];
}

/** x [.., In] times the transpose of weight [Out, In] (PyTorch's layout), plus bias [Out]: [.., Out]. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const rows = reshape(x, [-1, x.shape.at(-1) ?? 0]);
  const y = gemm(rows, weight, { transB: true, addend: bias });
  return reshape(y, [...x.shape.slice(0, -1), weight.shape[0] ?? 0]);
}

/** Softmax along an axis (the last by default). */
export function softmax(x: Tensor, axis = -1): Tensor {
  return emit(x.block.graph, 'Softmax', [x], { attributes: { axis: positive(x, axis) } })[0];
}

/** Logarithm of the softmax along an axis (the last by default). */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return emit(x.block.graph, 'LogSoftmax', [x], { attributes: { axis: positive(x, axis) } })[0];
}

interface ReduceOptions {
  /** Keep the reduced axes with length 1 (default: they go). */
  keepDims?: boolean;
}

function reduction(op: 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceProd') {
  /** Reduces over the axes, or over all when none are given. */
  return (x: Tensor, axes: readonly number[] = [...x.shape.keys()], options: ReduceOptions = {}): Tensor => {
    if (axes.length === 0) return x;
    const list = axes.map((axis) => positive(x, axis));
    const operand = constant(x.block.graph, 'int64', [list.length], list);
    return emit(x.block.graph, op, [x, operand], { attributes: { keepdims: options.keepDims ? 1 : 0 } })[0];
  };
}

export const sum = reduction('ReduceSum');
export const mean = reduction('ReduceMean');
/** The largest element; where several tie, the gradient is shared equally. */
export const reduceMax = reduction('ReduceMax');
export const reduceMin = reduction('ReduceMin');
export const reduceProd = reduction('ReduceProd');

/** Mean of squared distances from the mean, divided by n (or by n - `correction`). */
export function variance(
  x: Tensor,
  axes: readonly number[],
  options: ReduceOptions & { correction?: number } = {},
): Tensor {
  const { correction = 0, keepDims = false } = options;
  const centred = sub(x, mean(x, axes, { keepDims: true }));
  const count = axes.reduce((n, axis) => n * (x.shape.at(axis) ?? 1), 1);
  return mul(sum(mul(centred, centred), axes, { keepDims }), 1 / (count - correction));
}

/** Running sum along an axis. */
export function cumsum(x: Tensor, axis: number, options: { exclusive?: boolean; reverse?: boolean } = {}): Tensor {
  const operand = constant(x.block.graph, 'int64', [], [positive(x, axis)]);
  const attributes = { exclusive: options.exclusive ? 1 : 0, reverse: options.reverse ? 1 : 0 } as const;
  return emit(x.block.graph, 'CumSum', [x, operand], { attributes })[0];
}

/** Index (int64) of the largest element along an axis; the first where several tie. */
export function argmax(x: Tensor, axis: number, options: ReduceOptions = {}): Tensor {
  return emit(x.block.graph, 'ArgMax', [x], {
    attributes: { axis: positive(x, axis), keepdims: options.keepDims ? 1 : 0 },
  })[0];
}

/** The k largest elements along an axis in descending order, and their indices (int64). */
export function topK(x: Tensor, k: number, axis = -1): { values: Tensor; indices: Tensor } {
  const { graph } = x.block;
  const [values, indices] = emit(graph, 'TopK', [x, constant(graph, 'int64', [1], [k])], {
    attributes: { axis: positive(x, axis), largest: 1, sorted: 1 },
  });
  return { values, indices: indices ?? values };
}

function swapLast(x: Tensor): Tensor {
  const axes = [...x.shape.keys()];
  return transpose(x, [...axes.slice(0, -2), ...axes.slice(-2).reverse()]);
}

function positive(x: Tensor, axis: number): number {
  return axis < 0 ? axis + x.shape.length : axis;
}
