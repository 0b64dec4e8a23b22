/** Import rules of the element-wise operators. Activations without an operator of their own here are written out. */
import { constant, type Tensor } from '../../graph/graph.ts';
import type { OpName } from '../../graph/specs.ts';
import { gelu } from '../../ops/activations.ts';
import {
  abs,
  add,
  clip,
  div,
  exp,
  greater,
  maximum,
  minimum,
  mul,
  sigmoid,
  softplus,
  sub,
  tanh,
  where,
} from '../../ops/arithmetic.ts';
import { dtypeOf, elementTypeName } from '../element-types.ts';
import type { ImportNode, ImportRule } from './node.ts';

type Plain = Extract<
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
  | 'Erf'
  | 'Relu'
  | 'Softplus'
  | 'Floor'
  | 'Round'
  | 'Not'
>;

type Pairwise = Extract<
  OpName,
  | 'Add'
  | 'Sub'
  | 'Mul'
  | 'Div'
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

const unary =
  (op: Plain): ImportRule =>
  (node) =>
    node.emit(op, [node.operand(0)], {});

const binary =
  (op: Pairwise): ImportRule =>
  (node) => {
    // In operator set 6 it asks for what is always done since: shapes are aligned at their ends.
    if (node.opset < 7) node.ignore('broadcast');
    return node.emit(op, [node.operand(0), node.operand(1)], {});
  };

/** A formula of one operand. */
const formula =
  (write: (x: Tensor, node: ImportNode) => Tensor): ImportRule =>
  (node) =>
    node.compose(() => write(node.operand(0), node));

/** An operator of any number of operands, by pairs. */
const chain =
  (op: 'Min' | 'Max', join: (a: Tensor, b: Tensor) => Tensor): ImportRule =>
  (node) => {
    if (node.inputs.length === 1) return [node.operand(0)];
    if (node.inputs.length === 2) return node.emit(op, [node.operand(0), node.operand(1)], {});
    return node.compose(() => total(node, join));
  };

function total(node: ImportNode, join: (a: Tensor, b: Tensor) => Tensor): Tensor {
  return node.inputs.map((_, i) => node.operand(i)).reduce(join);
}

/** x where it is above zero, else something else. */
const split = (x: Tensor, below: Tensor): Tensor => where(greater(x, 0), x, below);

/** The least and the greatest number of a dtype, which bound what is not bounded. */
const extremes: Readonly<Record<string, readonly [number | bigint, number | bigint]>> = {
  float32: [-3.4028234663852886e38, 3.4028234663852886e38],
  float64: [-Number.MAX_VALUE, Number.MAX_VALUE],
  float16: [-65504, 65504],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint8: [0, 255],
};

/** Bounds are operands from operator set 11, attributes before; either may be absent. */
const clipRule: ImportRule = (node) => {
  const x = node.operand(0);
  const limits = extremes[x.dtype] ?? node.refuse(`no bounds are known for ${x.dtype}`);
  const bound = (index: 1 | 2, attribute: string) => {
    const limit = limits[index - 1] ?? 0;
    const given = node.inputs[index];
    if (given) return node.reshaped(given, []);
    const value = node.opset < 11 ? node.float(attribute, Number(limit)) : limit;
    return constant(node.graph, x.dtype, [], [value]);
  };
  return node.emit('Clip', [x, bound(1, 'min'), bound(2, 'max')], {});
};

export const elementwiseImports: Readonly<Record<string, ImportRule>> = {
  Neg: unary('Neg'),
  Abs: unary('Abs'),
  Sign: unary('Sign'),
  Exp: unary('Exp'),
  Log: unary('Log'),
  Sqrt: unary('Sqrt'),
  Reciprocal: unary('Reciprocal'),
  Sin: unary('Sin'),
  Cos: unary('Cos'),
  Tanh: unary('Tanh'),
  Sigmoid: unary('Sigmoid'),
  Erf: unary('Erf'),
  Relu: unary('Relu'),
  Softplus: unary('Softplus'),
  Floor: unary('Floor'),
  Round: unary('Round'),
  Not: unary('Not'),
  Add: binary('Add'),
  Sub: binary('Sub'),
  Mul: binary('Mul'),
  Div: binary('Div'),
  Equal: binary('Equal'),
  Less: binary('Less'),
  LessOrEqual: binary('LessOrEqual'),
  Greater: binary('Greater'),
  GreaterOrEqual: binary('GreaterOrEqual'),
  And: binary('And'),
  Or: binary('Or'),
  Xor: (node) => {
    const equal = node.step('Equal', [node.operand(0), node.operand(1)], {});
    return node.emit('Not', [equal], {});
  },
  /** The only number that is not equal to itself. */
  IsNaN: (node) => node.emit('Not', [node.step('Equal', [node.operand(0), node.operand(0)], {})], {}),
  Mod: (node) => {
    if (node.flag('fmod', 0)) node.refuse('the remainder of a division towards zero has no operator here');
    return node.emit('Mod', [node.operand(0), node.operand(1)], {});
  },
  /** The exponent may be of another dtype. */
  Pow: (node) => node.emit('Pow', [node.operand(0), node.cast(node.operand(1), node.operand(0).dtype)], {}),
  Min: chain('Min', minimum),
  Max: chain('Max', maximum),
  Sum: (node) => (node.inputs.length === 1 ? [node.operand(0)] : node.compose(() => total(node, add))),
  Mean: (node) => node.compose(() => mul(total(node, add), 1 / node.inputs.length)),
  Ceil: (node) => {
    const below = node.step('Floor', [node.step('Neg', [node.operand(0)], {})], {});
    return node.emit('Neg', [below], {});
  },
  Clip: clipRule,
  Where: (node) => node.emit('Where', [node.operand(0), node.operand(1), node.operand(2)], {}),
  Cast: (node) => {
    node.ignore('saturate', 'round_mode');
    const number = node.int('to', 0);
    const to = dtypeOf(number) ?? node.refuse(`there are no tensors of ${elementTypeName(number)} here`);
    return node.operand(0).dtype === to ? [node.operand(0)] : node.emit('Cast', [node.operand(0)], { to });
  },
  CastLike: (node) => {
    node.ignore('saturate', 'round_mode');
    return [node.cast(node.operand(0), node.operand(1).dtype)];
  },
  /** Kept where a body hands on a value, for which ONNX wants a node. */
  Identity: (node) => (node.isResult ? node.emit('Identity', [node.operand(0)], {}) : [node.operand(0)]),
  /** Drops nothing when a model is used. */
  Dropout: (node) => {
    if (node.knownValues(2)?.[0]) node.refuse('it is meant for training');
    node.ignore('ratio', 'seed', 'is_test');
    return [node.operand(0)];
  },
  Gelu: (node) => {
    const approximate = node.string('approximate', 'none') === 'tanh' ? 'tanh' : 'none';
    if (node.graph.opset >= 20) return node.emit('Gelu', [node.operand(0)], { approximate });
    return node.compose(() => gelu(node.operand(0), approximate));
  },
  LeakyRelu: formula((x, node) => split(x, mul(x, node.float('alpha', 0.01)))),
  PRelu: (node) => {
    const [x, slope] = [node.operand(0), node.operand(1)];
    // In operator set 6 the slopes are those of the channels.
    const channels = [...slope.shape, ...x.shape.slice(2).map(() => 1)];
    const aligned = node.opset < 7 && slope.shape.length === 1 ? node.reshaped(slope, channels) : slope;
    return node.compose(() => split(x, mul(x, aligned)));
  },
  Elu: formula((x, node) => split(x, mul(sub(exp(minimum(x, 0)), 1), node.float('alpha', 1)))),
  Celu: formula((x, node) => {
    const alpha = node.float('alpha', 1);
    return split(x, mul(sub(exp(div(minimum(x, 0), alpha)), 1), alpha));
  }),
  Selu: formula((x, node) => {
    const alpha = node.float('alpha', 1.6732632423543772);
    return mul(split(x, mul(sub(exp(minimum(x, 0)), 1), alpha)), node.float('gamma', 1.0507009873554805));
  }),
  HardSigmoid: formula((x, node) => clip(add(mul(x, node.float('alpha', 0.2)), node.float('beta', 0.5)), 0, 1)),
  HardSwish: formula((x) => mul(x, clip(add(mul(x, 1 / 6), 0.5), 0, 1))),
  Mish: formula((x) => mul(x, tanh(softplus(x)))),
  Softsign: formula((x) => div(x, add(abs(x), 1))),
  ThresholdedRelu: formula((x, node) => where(greater(x, node.float('alpha', 1)), x, 0)),
  Swish: formula((x, node) => mul(x, sigmoid(mul(x, node.float('alpha', 1))))),
};

/** Those of ONNX Runtime's own domain. */
export const elementwiseContribImports: Readonly<Record<string, ImportRule>> = {
  QuickGelu: (node) => {
    // The schema's default is the float32 nearest to this.
    const alpha = node.float('alpha', 1.702);
    const x = node.operand(0);
    if (node.graph.target === 'reference') return node.compose(() => mul(x, sigmoid(mul(x, alpha))));
    return node.emit('QuickGelu', [x], { alpha: { float: alpha } });
  },
  Gelu: formula((x) => gelu(x)),
  BiasGelu: (node) => node.compose(() => gelu(add(node.operand(0), node.operand(1)))),
  FastGelu: (node) => {
    const [x, bias] = [node.operand(0), node.inputs[1]];
    return node.compose(() => gelu(bias ? add(x, bias) : x, 'tanh'));
  },
};
