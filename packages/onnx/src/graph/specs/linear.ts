/** Matrix products, softmax and reductions. */
import type { FloatAttribute, TensorType } from '../graph.ts';
import { type Inference, sameShape, spec } from './spec.ts';

type Flag = 0 | 1;

/** The type of a batched product of [.., M, K] and [.., K, N]. */
function product(node: Inference<object>, left: readonly number[], right: readonly number[]): readonly TensorType[] {
  const [m, k] = left.slice(-2);
  const [k2, n] = right.slice(-2);
  if (left.length < 2 || right.length < 2 || m === undefined || n === undefined)
    return node.refuse('operands need rank 2 or more');
  if (k !== k2) node.refuse(`inner dimensions ${k} and ${k2} differ`);
  const [leftBatch, rightBatch] = [left.slice(0, -2), right.slice(0, -2)];
  const batch = node.broadcast(leftBatch, rightBatch);
  // ONNX Runtime broadcasts any batch but an empty one.
  if (batch.includes(0) && !sameShape(leftBatch, rightBatch)) node.refuse('an empty batch does not broadcast');
  return [{ dtype: node.floatDtype(), shape: [...batch, m, n] }];
}

function swapLast(shape: readonly number[], swap: Flag): readonly number[] {
  return swap ? [...shape.slice(0, -2), ...shape.slice(-2).reverse()] : shape;
}

const reduction = spec<{ keepdims: Flag }>(2, (node) => {
  const { shape } = node.operand(0);
  const axes = node.ints(1).map((axis) => node.axis(axis, shape));
  // ONNX reads an empty list as all axes.
  if (axes.length === 0 || new Set(axes).size < axes.length) node.refuse('axes must be named, each once');
  const kept = node.attributes.keepdims
    ? shape.map((dim, i) => (axes.includes(i) ? 1 : dim))
    : shape.filter((_, i) => !axes.includes(i));
  return [{ dtype: node.operand(0).dtype, shape: kept }];
});

const alongAxis = spec<{ axis: number }>(1, (node) => {
  node.axis(node.attributes.axis, node.operand(0).shape);
  return [{ dtype: node.floatDtype(), shape: node.operand(0).shape }];
});

export const linear = {
  MatMul: spec(2, (node) => product(node, node.operand(0).shape, node.operand(1).shape)),
  /** alpha * A' B' + beta * C on matrices; C broadcasts to the product. */
  Gemm: spec<{ transA: Flag; transB: Flag; alpha: FloatAttribute; beta: FloatAttribute }>([2, 3], (node) => {
    const { transA, transB } = node.attributes;
    const [a, b] = [node.operand(0).shape, node.operand(1).shape];
    if (a.length !== 2 || b.length !== 2) node.refuse('both factors must be matrices');
    const [type] = product(node, swapLast(a, transA), swapLast(b, transB));
    if (!type) return node.refuse('no product');
    const c = node.inputs[2];
    if (c && node.broadcast(c.shape, type.shape).some((dim, i) => dim !== type.shape[i]))
      node.refuse('the addend does not broadcast to the product');
    return [type];
  }),
  /** alpha * A' B' with batch dimensions; ONNX Runtime's own operator, without transposed copies. */
  FusedMatMul: spec<{ transA: Flag; transB: Flag; alpha: FloatAttribute }>(
    2,
    (node) => {
      const { transA, transB } = node.attributes;
      return product(node, swapLast(node.operand(0).shape, transA), swapLast(node.operand(1).shape, transB));
    },
    'com.microsoft',
  ),
  Softmax: alongAxis,
  LogSoftmax: alongAxis,
  ReduceSum: reduction,
  ReduceMean: reduction,
  ReduceMax: reduction,
  ReduceMin: reduction,
  ReduceProd: reduction,
  CumSum: spec<{ exclusive: Flag; reverse: Flag }>(2, (node) => {
    const { dtype, shape } = node.operand(0);
    const [axis] = node.ints(1);
    node.axis(axis ?? Number.NaN, shape);
    return [{ dtype, shape }];
  }),
  ArgMax: spec<{ axis: number; keepdims: Flag }>(1, (node) => {
    const { shape } = node.operand(0);
    const axis = node.axis(node.attributes.axis, shape);
    const kept = node.attributes.keepdims ? shape.map((dim, i) => (i === axis ? 1 : dim)) : shape.toSpliced(axis, 1);
    return [{ dtype: 'int64', shape: kept }];
  }),
  /** Operands: x, k. Outputs: the k largest (or smallest) values, and their indices. */
  TopK: spec<{ axis: number; largest: Flag; sorted: Flag }>(2, (node) => {
    const { dtype, shape } = node.operand(0);
    const axis = node.axis(node.attributes.axis, shape);
    const [k] = node.ints(1);
    const limit = shape[axis] ?? 0;
    if (k === undefined || k < 1 || k > limit) return node.refuse(`k must lie between 1 and ${limit}`);
    const kept = shape.with(axis, k);
    return [
      { dtype, shape: kept },
      { dtype: 'int64', shape: kept },
    ];
  }),
};
