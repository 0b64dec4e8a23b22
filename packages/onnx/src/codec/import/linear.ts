/** Import rules of products, softmax, reductions and sorting. */
import { isFloat } from '../../dtype.ts';
import { constant, type Tensor } from '../../graph/graph.ts';
import { abs, add, exp, log, mul, neg, sqrt, sub } from '../../ops/arithmetic.ts';
import { argmax, logSoftmax, reduceMax, softmax, sum } from '../../ops/linear.ts';
import { reshape } from '../../ops/movement.ts';
import { sizeOf } from '../../tensor-data.ts';
import type { ImportNode, ImportRule } from './node.ts';

/** A vector on the left is a row, one on the right a column; the axis this adds is taken away again. */
const matmulRule: ImportRule = (node) => {
  const [a, b] = [node.operand(0), node.operand(1)];
  if (a.shape.length > 1 && b.shape.length > 1) return node.emit('MatMul', [a, b], {});
  const row = a.shape.length === 1 ? node.reshaped(a, [1, ...a.shape]) : a;
  const column = b.shape.length === 1 ? node.reshaped(b, [...b.shape, 1]) : b;
  const product = node.step('MatMul', [row, column], {});
  const shape = product.shape.filter((_, axis) => {
    const fromEnd = product.shape.length - axis;
    return !(fromEnd === 2 && row !== a) && !(fromEnd === 1 && column !== b);
  });
  return node.reshape(product, shape);
};

const gemmRule: ImportRule = (node) => {
  const addend = node.inputs[2];
  if (node.opset < 7) node.ignore('broadcast');
  const attributes = {
    transA: node.flag('transA', 0),
    transB: node.flag('transB', 0),
    alpha: { float: node.float('alpha', 1) },
    beta: { float: node.float('beta', 1) },
  };
  return node.emit('Gemm', [node.operand(0), node.operand(1), ...(addend ? [addend] : [])], attributes);
};

/** Up to operator set 12 the tensor counts as a matrix that is cut before the axis, and the rows are normalised. */
function softmaxRule(op: 'Softmax' | 'LogSoftmax'): ImportRule {
  return (node) => {
    const x = node.operand(0);
    const rank = x.shape.length;
    const axis = node.axis(node.int('axis', node.opset < 13 ? 1 : -1), Math.max(rank, 1));
    if (node.opset >= 13 || axis === rank - 1) return node.emit(op, [x], { axis });
    const shape = node.knownShape(x);
    return node.compose(() => {
      const rows = reshape(x, [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis))]);
      return reshape(op === 'Softmax' ? softmax(rows) : logSoftmax(rows), shape);
    });
  };
}

/** The axes that a reduction names, counted from the front; undefined when it reduces nothing. */
function reducedAxes(node: ImportNode): readonly number[] | undefined {
  const rank = node.operand(0).shape.length;
  const keepsWithoutAxes = node.flag('noop_with_empty_axes', 0) === 1;
  const axes = node.ints('axes') ?? node.knownValues(1) ?? [];
  if (axes.length > 0) return axes.map((axis) => node.axis(axis, rank));
  return keepsWithoutAxes || rank === 0 ? undefined : Array.from({ length: rank }, (_, axis) => axis);
}

function reductionRule(op: 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceProd'): ImportRule {
  return (node) => {
    const keepdims = node.flag('keepdims', 1);
    const axes = reducedAxes(node);
    return axes ? node.emit(op, [node.operand(0), node.list(axes)], { keepdims }) : [node.operand(0)];
  };
}

/** A reduction that is written as a sum. Without axes to reduce, each element is a sum of its own. */
function sumRule(before: (x: Tensor) => Tensor, after: (x: Tensor) => Tensor): ImportRule {
  return (node) => {
    const keepDims = node.flag('keepdims', 1) === 1;
    const axes = reducedAxes(node) ?? [];
    return node.compose(() => after(sum(before(node.operand(0)), axes, { keepDims })));
  };
}

const same = (x: Tensor): Tensor => x;

/** log(sum(exp(x))), with the greatest element taken out so that nothing overflows. */
const logSumExpRule: ImportRule = (node) => {
  const x = node.operand(0);
  const keepDims = node.flag('keepdims', 1) === 1;
  const axes = reducedAxes(node) ?? [];
  return node.compose(() => {
    const greatest = reduceMax(x, axes, { keepDims: true });
    const total = log(sum(exp(sub(x, greatest)), axes, { keepDims }));
    return add(total, reshape(greatest, total.shape));
  });
};

const argRule =
  (smallest: boolean): ImportRule =>
  (node) => {
    const given = node.operand(0);
    const axis = node.axis(node.int('axis', 0), given.shape.length);
    const keepdims = node.flag('keepdims', 1);
    // CUDA has no kernel for integers; those of 32 bits, and all that occur as token ids, are exact in float64.
    const x = node.graph.target === 'cuda' && !isFloat(given.dtype) ? node.cast(given, 'float64') : given;
    if (node.flag('select_last_index', 0)) node.refuse('the last of several equal elements has no operator here');
    if (!smallest) return node.emit('ArgMax', [x], { axis, keepdims });
    return node.compose(() => argmax(neg(x), axis, { keepDims: keepdims === 1 }));
  };

/** k is an attribute up to operator set 9. */
const topKRule: ImportRule = (node) => {
  const x = node.operand(0);
  const axis = node.axis(node.int('axis', -1), x.shape.length);
  const k = node.opset < 10 ? node.int('k', 0) : (node.knownValues(1)?.[0] ?? 0);
  const attributes = { axis, largest: node.flag('largest', 1), sorted: node.flag('sorted', 1) };
  return node.emit('TopK', [x, node.list([k])], attributes);
};

const cumsumRule: ImportRule = (node) => {
  const x = node.operand(0);
  const [axis = 0] = node.knownValues(1) ?? [];
  const operand = constant(node.graph, 'int64', [], [node.axis(axis, x.shape.length)]);
  return node.emit('CumSum', [x, operand], { exclusive: node.flag('exclusive', 0), reverse: node.flag('reverse', 0) });
};

export const linearImports: Readonly<Record<string, ImportRule>> = {
  MatMul: matmulRule,
  Gemm: gemmRule,
  Softmax: softmaxRule('Softmax'),
  LogSoftmax: softmaxRule('LogSoftmax'),
  ReduceSum: reductionRule('ReduceSum'),
  ReduceMean: reductionRule('ReduceMean'),
  ReduceMax: reductionRule('ReduceMax'),
  ReduceMin: reductionRule('ReduceMin'),
  ReduceProd: reductionRule('ReduceProd'),
  ReduceL1: sumRule(abs, same),
  ReduceL2: sumRule((x) => mul(x, x), sqrt),
  ReduceSumSquare: sumRule((x) => mul(x, x), same),
  ReduceLogSum: sumRule(same, log),
  ReduceLogSumExp: logSumExpRule,
  CumSum: cumsumRule,
  ArgMax: argRule(false),
  ArgMin: argRule(true),
  TopK: topKRule,
};

/** Those of ONNX Runtime's own domain. */
export const linearContribImports: Readonly<Record<string, ImportRule>> = {
  FusedMatMul: (node) => {
    if (node.flag('transBatchA', 0) || node.flag('transBatchB', 0)) node.refuse('transposed batches are not supported');
    return node.emit('FusedMatMul', [node.operand(0), node.operand(1)], {
      transA: node.flag('transA', 0),
      transB: node.flag('transB', 0),
      alpha: { float: node.float('alpha', 1) },
    });
  },
};
