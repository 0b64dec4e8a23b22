/** Operators that work element by element, with broadcasting. */
import { type DType, isFloat } from '../../dtype.ts';
import type { FloatAttribute } from '../graph.ts';
import { type Inference, spec } from './spec.ts';

const unary = spec(1, (node) => [{ dtype: node.floatDtype(), shape: node.operand(0).shape }]);
const binary = spec(2, (node) => [
  { dtype: node.dtype(), shape: node.broadcast(node.operand(0).shape, node.operand(1).shape) },
]);
const comparison = spec(2, (node) => {
  node.dtype();
  return [{ dtype: 'bool', shape: node.broadcast(node.operand(0).shape, node.operand(1).shape) }];
});
const logical = spec(2, (node) => {
  if (node.dtype() !== 'bool') node.refuseDtype('operands must be bool');
  return [{ dtype: 'bool', shape: node.broadcast(node.operand(0).shape, node.operand(1).shape) }];
});

export const elementwise = {
  Neg: spec(1, (node) => [{ dtype: node.dtype(), shape: node.operand(0).shape }]),
  Abs: spec(1, (node) => [{ dtype: node.dtype(), shape: node.operand(0).shape }]),
  Sign: spec(1, (node) => [{ dtype: node.dtype(), shape: node.operand(0).shape }]),
  Exp: unary,
  Log: unary,
  Sqrt: unary,
  Reciprocal: unary,
  Sin: unary,
  Cos: unary,
  Tanh: unary,
  Sigmoid: unary,
  Erf: unary,
  Relu: unary,
  Softplus: unary,
  Floor: unary,
  Round: unary,
  Add: binary,
  Sub: binary,
  Mul: binary,
  Div: binary,
  /** Of integers, with the sign of the divisor. */
  Mod: spec(2, (node) => {
    if (isFloat(node.dtype())) node.refuseDtype('operands must be integers');
    return [{ dtype: node.dtype(), shape: node.broadcast(node.operand(0).shape, node.operand(1).shape) }];
  }),
  Pow: binary,
  Min: binary,
  Max: binary,
  Equal: comparison,
  Less: comparison,
  LessOrEqual: comparison,
  Greater: comparison,
  GreaterOrEqual: comparison,
  And: logical,
  Or: logical,
  Not: spec(1, (node) => {
    node.requireDtype(0, 'bool');
    return [{ dtype: 'bool', shape: node.operand(0).shape }];
  }),
  Identity: spec(1, (node) => [{ dtype: node.dtype(), shape: node.operand(0).shape }]),
  /** `to` is the ONNX number of the dtype; `dtype` is not written to the file. */
  Cast: spec<{ to: DType }>(1, (node) => [{ dtype: node.attributes.to, shape: node.operand(0).shape }]),
  /** Operands: x, lower bound, upper bound (scalars). */
  Clip: spec(3, (node) => {
    for (const bound of [node.operand(1), node.operand(2)])
      if (bound.shape.length > 0) node.refuse('bounds must be scalars');
    return [{ dtype: node.dtype(), shape: node.operand(0).shape }];
  }),
  /** Operands: condition, value where true, value where false. */
  Where: spec(3, (node) => {
    node.requireDtype(0, 'bool');
    const [condition, whenTrue, whenFalse] = [node.operand(0), node.operand(1), node.operand(2)];
    return [
      {
        dtype: node.dtype([whenTrue, whenFalse]),
        shape: node.broadcast(condition.shape, whenTrue.shape, whenFalse.shape),
      },
    ];
  }),
  /** GELU, exact or by tanh (operator set 20). */
  Gelu: spec<{ approximate: 'none' | 'tanh' }>(1, unaryFrom(20)),
  /** x * sigmoid(alpha * x): SiLU when alpha is 1. ONNX Runtime's own operator. */
  QuickGelu: spec<{ alpha: FloatAttribute }>(
    1,
    (node) => [{ dtype: node.floatDtype(), shape: node.operand(0).shape }],
    'com.microsoft',
  ),
};

function unaryFrom(opset: number) {
  return (node: Inference<object>) => {
    if (node.opset < opset) node.refuse(`the operator exists from operator set ${opset}, the graph uses ${node.opset}`);
    const dtype = node.operand(0).dtype;
    if (!isFloat(dtype)) node.refuseDtype('the operand must be floating point');
    return [{ dtype, shape: node.operand(0).shape }];
  };
}
