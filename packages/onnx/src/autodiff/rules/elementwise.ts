/**
 * Gradient rules of the element-wise operators. `d` is the gradient of the output. At kinks they follow PyTorch where it
 * has a convention: relu'(0) = 0, abs'(0) = 0, ties of minimum and maximum share equally, clip passes at its bounds.
 */
import type { Tensor } from '../../graph/graph.ts';
import type { OpName } from '../../graph/specs.ts';
import {
  add,
  and,
  cast,
  cos,
  div,
  equal,
  exp,
  greater,
  greaterOrEqual,
  less,
  lessOrEqual,
  log,
  mul,
  neg,
  pow,
  sigmoid,
  sign,
  sin,
  sub,
  tanh,
  where,
} from '../../ops/arithmetic.ts';
import { erf } from '../../ops/erf.ts';
import type { GradientRule, GradientRules } from '../grad.ts';
import { elementwise, unbroadcast } from '../unbroadcast.ts';

/** A rule for y = f(x): from d, x and y. */
function unary<Op extends OpName>(derivative: (d: Tensor, x: Tensor, y: Tensor) => Tensor): GradientRule<Op> {
  return (node, [d]) => {
    const [x] = node.inputs;
    const [y] = node.outputs;
    return d && x && y ? [() => elementwise(d, (thin) => derivative(thin, x, y))] : [];
  };
}

/** A rule for y = f(a, b) with broadcasting: the derivative for each operand, before it is summed back to its shape. */
function binary<Op extends OpName>(
  forLeft: (d: Tensor, a: Tensor, b: Tensor, y: Tensor) => Tensor,
  forRight: (d: Tensor, a: Tensor, b: Tensor, y: Tensor) => Tensor,
): GradientRule<Op> {
  return (node, [d]) => {
    const [a, b] = node.inputs;
    const [y] = node.outputs;
    if (!d || !a || !b || !y) return [];
    const operand = (derivative: typeof forLeft, shape: readonly number[]) => () =>
      unbroadcast(
        elementwise(d, (thin) => derivative(thin, a, b, y)),
        shape,
      );
    return [operand(forLeft, a.shape), operand(forRight, b.shape)];
  };
}

/** The gradient where one operand wins; half of it where both are equal. */
function shareAtTies(wins: (a: Tensor, b: Tensor) => Tensor) {
  return (d: Tensor, mine: Tensor, other: Tensor): Tensor => {
    const half = where(equal(mine, other), 0.5, cast(wins(mine, other), d.dtype));
    return mul(d, half);
  };
}

const smaller = shareAtTies(less);
const larger = shareAtTies(greater);

/** Operators that are constant almost everywhere. */
const zero = (): readonly [] => [];

/** Φ(x) + x φ(x), with the normal distribution function Φ and its density φ. */
function geluSlope(x: Tensor): Tensor {
  const density = mul(exp(mul(mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return add(mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5), mul(x, density));
}

/** With u = c (x + k x³) and t = tanh(u): (1 + t) / 2 + x (1 - t²) c (1 + 3 k x²) / 2. */
function geluTanhSlope(x: Tensor): Tensor {
  const [c, k] = [Math.sqrt(2 / Math.PI), 0.044715];
  const squared = mul(x, x);
  const t = tanh(mul(mul(x, add(mul(squared, k), 1)), c));
  const inner = mul(add(mul(squared, 3 * k), 1), c);
  return mul(add(add(t, 1), mul(mul(x, sub(1, mul(t, t))), inner)), 0.5);
}

export const elementwiseRules = {
  Identity: unary((d) => d),
  Neg: unary((d) => neg(d)),
  Sign: zero,
  Floor: zero,
  Round: zero,
  Abs: unary((d, x) => mul(d, sign(x))),
  Exp: unary((d, _x, y) => mul(d, y)),
  Log: unary((d, x) => div(d, x)),
  Sqrt: unary((d, _x, y) => div(mul(d, 0.5), y)),
  Reciprocal: unary((d, _x, y) => neg(mul(d, mul(y, y)))),
  Sin: unary((d, x) => mul(d, cos(x))),
  Cos: unary((d, x) => neg(mul(d, sin(x)))),
  Tanh: unary((d, _x, y) => mul(d, sub(1, mul(y, y)))),
  Sigmoid: unary((d, _x, y) => mul(d, mul(y, sub(1, y)))),
  Erf: unary((d, x) => mul(mul(d, exp(neg(mul(x, x)))), 2 / Math.sqrt(Math.PI))),
  Relu: unary((d, _x, y) => where(greater(y, 0), d, 0)),
  Softplus: unary((d, x) => mul(d, sigmoid(x))),
  Add: binary(
    (d) => d,
    (d) => d,
  ),
  Sub: binary(
    (d) => d,
    (d) => neg(d),
  ),
  Mul: binary(
    (d, _a, b) => mul(d, b),
    (d, a) => mul(d, a),
  ),
  Div: binary(
    (d, _a, b) => div(d, b),
    (d, _a, b, y) => neg(div(mul(d, y), b)),
  ),
  Pow: binary(
    // a^0 is 1 everywhere: without the condition its slope at a = 0 would be 0 * infinity.
    (d, a, b) => mul(d, mul(b, pow(a, where(equal(b, 0), 1, sub(b, 1))))),
    // At a = 0 the limit of a^b log(a) is 0 for b > 0.
    (d, a, _b, y) => mul(d, where(equal(a, 0), 0, mul(y, log(where(equal(a, 0), 1, a))))),
  ),
  Min: binary(smaller, (d, a, b) => smaller(d, b, a)),
  Max: binary(larger, (d, a, b) => larger(d, b, a)),
  Clip: (node, [d]) => {
    const [x, low, high] = node.inputs;
    if (!d || !x || !low || !high) return [];
    return [() => elementwise(d, (thin) => where(and(greaterOrEqual(x, low), lessOrEqual(x, high)), thin, 0))];
  },
  Where: (node, [d]) => {
    const [condition, a, b] = node.inputs;
    if (!d || !condition || !a || !b) return [];
    return [
      undefined,
      () => unbroadcast(where(condition, d, 0), a.shape),
      () => unbroadcast(where(condition, 0, d), b.shape),
    ];
  },
  Cast: unary((d, x) => cast(d, x.dtype)),
  /** y = x s with s = sigmoid(alpha x): y' = s + alpha y (1 - s). */
  QuickGelu: (node, [d]) => {
    const [x] = node.inputs;
    const [y] = node.outputs;
    const alpha = node.attributes.alpha.float;
    if (!d || !x || !y) return [];
    return [
      () => {
        const s = sigmoid(alpha === 1 ? x : mul(x, alpha));
        const ya = alpha === 1 ? y : mul(y, alpha);
        return mul(d, add(s, sub(ya, mul(ya, s))));
      },
    ];
  },
  Gelu: (node, [d]) => {
    const [x] = node.inputs;
    if (!d || !x) return [];
    return [() => mul(d, node.attributes.approximate === 'none' ? geluSlope(x) : geluTanhSlope(x))];
  },
} satisfies GradientRules;
