/**
 * Element-wise arithmetic with NumPy's broadcasting. A number among the operands becomes a constant of the other's dtype;
 * dtypes are never promoted.
 */
import { type DType, isFloat } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import { constant, emit, graphOf, type Tensor } from '../graph/graph.ts';
import { sameShape, typeText } from '../graph/specs/spec.ts';
import type { OpName } from '../graph/specs.ts';

export type Operand = Tensor | number;

type UnaryOp = Extract<
  OpName,
  | 'Neg'
  | 'Abs'
  | 'Sign'
  | 'Exp'
  | 'Log'
  | 'Sqrt'
  | 'Reciprocal'
  | 'Sin'
  | 'Cos'
  | 'Tanh'
  | 'Sigmoid'
  | 'Relu'
  | 'Softplus'
  | 'Floor'
  | 'Round'
  | 'Not'
>;
type BinaryOp = Extract<
  OpName,
  | 'Add'
  | 'Sub'
  | 'Mul'
  | 'Div'
  | 'Mod'
  | 'Pow'
  | 'Min'
  | 'Max'
  | 'Equal'
  | 'Less'
  | 'LessOrEqual'
  | 'Greater'
  | 'GreaterOrEqual'
  | 'And'
  | 'Or'
>;

function unary(op: UnaryOp): (x: Tensor) => Tensor {
  return (x) => emit(x.block.graph, op, [x], { attributes: {} })[0];
}

function binary(op: BinaryOp): (a: Operand, b: Operand) => Tensor {
  return (a, b) => {
    const graph = graphOf(a, b);
    return emit(graph, op, [lift(a, b), lift(b, a)], { attributes: {} })[0];
  };
}

/** The operand itself, or the number as a scalar constant of the other operand's dtype. */
export function lift(operand: Operand, like: Operand): Tensor {
  if (typeof operand !== 'number') return operand;
  if (typeof like === 'number')
    throw onnxErrors.error('GVU_GRAPH_SCOPE', `Both operands are numbers (${operand} and ${like}).`, {
      hint: 'Compute on numbers in TypeScript.',
    });
  return constant(like.block.graph, like.dtype, [], [operand]);
}

export const neg = unary('Neg');
export const abs = unary('Abs');
/** -1, 0 or 1. Its gradient is zero. */
export const sign = unary('Sign');
export const exp = unary('Exp');
export const log = unary('Log');
export const sqrt = unary('Sqrt');
export const reciprocal = unary('Reciprocal');
export const sin = unary('Sin');
export const cos = unary('Cos');
export const tanh = unary('Tanh');
export const sigmoid = unary('Sigmoid');
export const relu = unary('Relu');
/** log(1 + exp(x)). */
export const softplus = unary('Softplus');
export const floor = unary('Floor');
/** To the nearest integer, ties to even. */
export const round = unary('Round');
export const not = unary('Not');

export const add = binary('Add');
export const sub = binary('Sub');
export const mul = binary('Mul');
export const div = binary('Div');
export const mod = binary('Mod');
export const pow = binary('Pow');
/** The smaller of two; where they tie, the gradient is shared equally. */
export const minimum = binary('Min');
/** The larger of two; where they tie, the gradient is shared equally. */
export const maximum = binary('Max');
export const equal = binary('Equal');
export const less = binary('Less');
export const lessOrEqual = binary('LessOrEqual');
export const greater = binary('Greater');
export const greaterOrEqual = binary('GreaterOrEqual');
export const and = binary('And');
export const or = binary('Or');

export function square(x: Tensor): Tensor {
  return mul(x, x);
}

/** Limits x to [low, high]; the gradient passes where low <= x <= high. */
export function clip(x: Tensor, low: number, high: number): Tensor {
  const { graph } = x.block;
  const bounds = [low, high].map((bound) => constant(graph, x.dtype, [], [bound]));
  return emit(graph, 'Clip', [x, ...bounds], { attributes: {} })[0];
}

/** Elements of `whenTrue` where the condition holds, else of `whenFalse`; all three broadcast. */
export function where(condition: Tensor, whenTrue: Operand, whenFalse: Operand): Tensor {
  const inputs = [condition, lift(whenTrue, whenFalse), lift(whenFalse, whenTrue)];
  return emit(condition.block.graph, 'Where', inputs, { attributes: {} })[0];
}

/** The same values in another dtype: to integers by truncation, to bool as "is not zero". No node when nothing changes. */
export function cast(x: Tensor, to: DType): Tensor {
  return x.dtype === to ? x : emit(x.block.graph, 'Cast', [x], { attributes: { to } })[0];
}

/** The same values; no gradient flows back through the result. */
export function stopGradient(x: Tensor): Tensor {
  return emit(x.block.graph, 'Identity', [x], { attributes: {}, gradientTo: null })[0];
}

/** The values of `hard` with the gradient of `soft` (straight-through estimator): `hard` itself gets none. */
export function straightThrough(hard: Tensor, soft: Tensor): Tensor {
  if (!sameShape(hard.shape, soft.shape) || hard.dtype !== soft.dtype || !isFloat(soft.dtype))
    throw onnxErrors.error('GVU_GRAPH_SHAPE', `Straight-through from ${typeText(hard)} to ${typeText(soft)}.`, {
      hint: 'Both must be floating point and of one type.',
    });
  return emit(hard.block.graph, 'Identity', [hard], { attributes: {}, gradientTo: soft })[0];
}
