/**
 * Gradient rules of products, softmax, reductions and sorting. Products use transposed factors instead of transposing tensors,
 * and add to the gradient gathered so far where they can (Gemm): a shared weight costs no addition.
 */
import { constant, type Node, type Tensor } from '../../graph/graph.ts';
import { constantValues } from '../../graph/specs/spec.ts';
import { cast, div, equal, exp, mul, sub, where } from '../../ops/arithmetic.ts';
import { cumsum, gemm, matmul, reduceProd, sum } from '../../ops/linear.ts';
import { expand, full, reshape, scatterElements, transpose } from '../../ops/movement.ts';
import { sizeOf } from '../../tensor-data.ts';
import type { GradientRules } from '../grad.ts';
import { unbroadcast } from '../unbroadcast.ts';

type Reduction = Node<'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceProd'>;

function reducedAxes(node: Reduction): readonly number[] {
  const [, axes] = node.inputs;
  return (axes && constantValues(axes)) ?? [];
}

/** A tensor of the reduced shape, with the reduced axes back as 1, ready to broadcast over x. */
function keepDims(node: Reduction, reduced: Tensor, x: Tensor): Tensor {
  const axes = reducedAxes(node);
  return reshape(
    reduced,
    x.shape.map((dim, i) => (axes.includes(i) ? 1 : dim)),
  );
}

/** Passes the gradient to the elements that attain the extremum, shared equally between them. */
function extremum(node: Node<'ReduceMax' | 'ReduceMin'>, d: Tensor, x: Tensor): Tensor {
  const [y] = node.outputs;
  const attained = cast(equal(x, keepDims(node, y ?? x, x)), x.dtype);
  const count = sum(attained, reducedAxes(node), { keepDims: true });
  return mul(attained, div(keepDims(node, d, x), count));
}

/** All leading axes as one: what a matrix on the right was multiplied with. */
function rows(x: Tensor): Tensor {
  const width = x.shape.at(-1) ?? 1;
  return reshape(x, [sizeOf(x.shape.slice(0, -1)), width]);
}

export const linearRules = {
  MatMul: (node, [d]) => {
    const [a, b] = node.inputs;
    if (!d || !a || !b) return [];
    const forLeft = () => unbroadcast(matmul(d, b, { transB: true }), a.shape);
    if (b.shape.length === 2) return [forLeft, (addend) => gemm(rows(a), rows(d), { transA: true, addend })];
    return [forLeft, () => unbroadcast(matmul(a, d, { transA: true }), b.shape)];
  },
  FusedMatMul: (node, [d]) => {
    const [a, b] = node.inputs;
    if (!d || !a || !b) return [];
    const { alpha: scale, transA, transB } = node.attributes;
    const alpha = scale.float;
    const [swapA, swapB] = [transA === 1, transB === 1];
    const forLeft = () =>
      unbroadcast(
        swapA ? matmul(b, d, { transA: swapB, transB: true, alpha }) : matmul(d, b, { transB: !swapB, alpha }),
        a.shape,
      );
    if (b.shape.length === 2 && !swapA)
      return [
        forLeft,
        (addend) => {
          const [x, y] = swapB ? [d, a] : [a, d];
          return gemm(rows(x), rows(y), { transA: true, alpha, addend });
        },
      ];
    return [
      forLeft,
      () =>
        unbroadcast(
          swapB ? matmul(d, a, { transA: true, transB: swapA, alpha }) : matmul(a, d, { transA: !swapA, alpha }),
          b.shape,
        ),
    ];
  },
  Gemm: (node, [d]) => {
    const [a, b, c] = node.inputs;
    if (!d || !a || !b) return [];
    const { alpha: scale, transA, transB } = node.attributes;
    const alpha = scale.float;
    const [swapA, swapB] = [transA === 1, transB === 1];
    return [
      (addend) =>
        swapA
          ? gemm(b, d, { transA: swapB, transB: true, alpha, addend })
          : gemm(d, b, { transB: !swapB, alpha, addend }),
      (addend) =>
        swapB
          ? gemm(d, a, { transA: true, transB: swapA, alpha, addend })
          : gemm(a, d, { transA: !swapA, alpha, addend }),
      c && (() => unbroadcast(node.attributes.beta.float === 1 ? d : mul(d, node.attributes.beta.float), c.shape)),
    ];
  },
  Softmax: (node, [d]) => {
    const [y] = node.outputs;
    if (!d || !y) return [];
    return [
      () => {
        const weighted = mul(d, y);
        return sub(weighted, mul(y, sum(weighted, [node.attributes.axis], { keepDims: true })));
      },
    ];
  },
  LogSoftmax: (node, [d]) => {
    const [y] = node.outputs;
    if (!d || !y) return [];
    return [() => sub(d, mul(exp(y), sum(d, [node.attributes.axis], { keepDims: true })))];
  },
  ReduceSum: (node, [d]) => {
    const [x] = node.inputs;
    return d && x ? [() => expand(keepDims(node, d, x), x.shape)] : [];
  },
  ReduceMean: (node, [d]) => {
    const [x] = node.inputs;
    if (!d || !x) return [];
    return [() => expand(mul(keepDims(node, d, x), sizeOf(d.shape) / sizeOf(x.shape)), x.shape)];
  },
  ReduceMax: (node, [d]) => {
    const [x] = node.inputs;
    return d && x ? [() => extremum(node, d, x)] : [];
  },
  ReduceMin: (node, [d]) => {
    const [x] = node.inputs;
    return d && x ? [() => extremum(node, d, x)] : [];
  },
  /** d times the product of all other elements: exact also where elements are zero. */
  ReduceProd: (node, [d]) => {
    const [x] = node.inputs;
    return d && x ? [() => mul(keepDims(node, d, x), productOfOthers(x, reducedAxes(node)))] : [];
  },
  CumSum: (node, [d]) => {
    const [x, axisOperand] = node.inputs;
    const [axis] = (axisOperand && constantValues(axisOperand)) ?? [];
    if (!d || !x || axis === undefined) return [];
    const { exclusive, reverse } = node.attributes;
    return [() => cumsum(d, axis, { exclusive: exclusive === 1, reverse: reverse === 0 })];
  },
  TopK: (node, [d]) => {
    const [x] = node.inputs;
    const [, indices] = node.outputs;
    if (!d || !x || !indices) return [];
    return [
      () => scatterElements(full(x.block.graph, x, 0), indices, d, { axis: node.attributes.axis, reduction: 'none' }),
    ];
  },
  ArgMax: () => [],
} satisfies GradientRules;

/** For every element of the axes, the product of all others over those axes. [.., n, ..] -> [.., n, n, ..] with the diagonal set to 1. */
function productOfOthers(x: Tensor, axes: readonly number[]): Tensor {
  const { graph } = x.block;
  const kept = [...x.shape.keys()].filter((axis) => !axes.includes(axis));
  const perm = [...kept, ...axes];
  const n = sizeOf(axes.map((axis) => x.shape[axis] ?? 1));
  const rows = reshape(transpose(x, perm), [-1, 1, n]);
  const diagonal = constant(
    graph,
    'bool',
    [1, n, n],
    Array.from({ length: n * n }, (_, i) => i % (n + 1) === 0),
  );
  const others = reduceProd(where(diagonal, 1, rows), [2]);
  const back = perm.map((_, axis) => perm.indexOf(axis));
  return transpose(
    reshape(
      others,
      perm.map((axis) => x.shape[axis] ?? 1),
    ),
    back,
  );
}
