/**
 * Random well-formed uses of every operator of the table: operands, attributes, and values that the operator accepts (indices
 * in range, divisors that are not zero). `test/inferred-types.test.ts` and the tables in `docs/reference` are made from them.
 */
import fc from 'fast-check';
import { allocate, type DType, dtypes } from '../src/dtype.ts';
import { constant, DYNAMIC, emit, type Graph, input, output, type Target, type Tensor } from '../src/graph/graph.ts';
import { broadcastShapes, sameShape } from '../src/graph/specs/spec.ts';
import type { OpAttributes, OpName } from '../src/graph/specs.ts';
import { sizeOf, type TensorData, tensorData } from '../src/tensor-data.ts';

export interface OperandCase {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** A constant of the graph with these values; else an input that is fed. */
  readonly constant?: readonly number[];
  /** Element i of what is fed; small numbers of both signs when absent. */
  readonly fill?: (i: number) => number;
}

export interface OperatorCase<Op extends OpName = OpName> {
  readonly operands: readonly (OperandCase | undefined)[];
  readonly attributes: OpAttributes[Op];
}

/** Operators whose attributes are bodies: those have tests of their own. */
export type ControlFlow = 'Loop' | 'If';

type Shape = readonly number[];
type Cases<Op extends OpName> = fc.Arbitrary<OperatorCase<Op>>;

const flag = fc.constantFrom(0 as const, 1 as const);
const shapeOf = (minRank: number, maxRank = 4, least = 1): fc.Arbitrary<Shape> =>
  fc.array(fc.integer({ min: least, max: 4 }), { minLength: minRank, maxLength: maxRank });
/** Also scalars and tensors without elements. */
const anyShape = shapeOf(0, 4, 0);

const float = (shape: Shape): OperandCase => ({ dtype: 'float32', shape });
const ints = (values: Shape): OperandCase => ({ dtype: 'int64', shape: [values.length], constant: values });
const indexInto = (length: number, shape: Shape): OperandCase => ({
  dtype: 'int64',
  shape,
  fill: (i) => (i * 3) % Math.max(length, 1),
});
const nonZero = (i: number): number => (i % 3) + 1;

/** Two (or more) shapes that broadcast: parts of one shape, some of their axes set to 1. */
function broadcasting(count: number): fc.Arbitrary<readonly Shape[]> {
  return anyShape.chain((shape) =>
    fc.array(
      fc
        .tuple(fc.nat(shape.length), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }))
        .map(([cut, ones]) => shape.slice(cut).map((dim, i) => (ones[i] ? 1 : dim))),
      { minLength: count, maxLength: count },
    ),
  );
}

const noAttributes = {} as const;

function unary<Op extends OpName>(...allowed: readonly DType[]): Cases<Op> {
  return fc
    .tuple(anyShape, fc.constantFrom(...allowed))
    .map(([shape, dtype]) => ({ operands: [{ dtype, shape }], attributes: noAttributes as OpAttributes[Op] }));
}

function binary<Op extends OpName>(...allowed: readonly DType[]): Cases<Op> {
  return fc.tuple(broadcasting(2), fc.constantFrom(...allowed)).map(([[a = [], b = []], dtype]) => ({
    operands: [{ dtype, shape: a }, dtype === 'bool' ? { dtype, shape: b } : { dtype, shape: b, fill: nonZero }],
    attributes: noAttributes as OpAttributes[Op],
  }));
}

/** A shape, and one of its axes counted from either end. */
const shapeAndAxis = (minRank = 1, maxRank = 4): fc.Arbitrary<readonly [Shape, number]> =>
  shapeOf(minRank, maxRank).chain((shape) =>
    fc.tuple(fc.constant(shape), fc.integer({ min: -shape.length, max: shape.length - 1 })),
  );

const at = (shape: Shape, axis: number): number => shape.at(axis) ?? 0;

function alongAxis<Op extends 'Softmax' | 'LogSoftmax'>(): Cases<Op> {
  return shapeAndAxis().map(([shape, axis]) => ({
    operands: [float(shape)],
    attributes: { axis } as OpAttributes[Op],
  }));
}

function reduction<Op extends OpName>(): Cases<Op> {
  return shapeOf(1)
    .chain((shape) =>
      fc.tuple(fc.constant(shape), fc.subarray([...shape.keys()], { minLength: 1 }), fc.boolean(), flag),
    )
    .map(([shape, axes, negative, keepdims]) => ({
      operands: [float(shape), ints(negative ? axes.map((axis) => axis - shape.length) : axes)],
      attributes: { keepdims } as OpAttributes[Op],
    }));
}

interface Product {
  left: Shape;
  right: Shape;
}

const product: fc.Arbitrary<Product> = fc
  .tuple(broadcasting(2), shapeOf(3, 3))
  .filter(([[a = [], b = []]]) => ![...a, ...b].includes(0) || sameShape(a, b))
  .map(([[a = [], b = []], [m = 1, k = 1, n = 1]]) => ({ left: [...a, m, k], right: [...b, k, n] }));

const swapLast = (shape: Shape, swap: number): Shape =>
  swap ? [...shape.slice(0, -2), ...shape.slice(-2).reverse()] : shape;

interface Window {
  spatial: Shape;
  kernel_shape: Shape;
  strides: Shape;
  pads: Shape;
  dilations: Shape;
}

/** A window that fits its input; pads stay below the kernel, as pooling requires. */
function windowCase(rank: number, dilated: boolean): fc.Arbitrary<Window> {
  const axis = fc
    .record({
      kernel: fc.integer({ min: 1, max: 3 }),
      stride: fc.integer({ min: 1, max: 3 }),
      dilation: dilated ? fc.integer({ min: 1, max: 2 }) : fc.constant(1),
      extra: fc.nat(4),
    })
    .chain((sizes) =>
      fc.record({
        sizes: fc.constant(sizes),
        before: fc.nat(sizes.kernel - 1),
        after: fc.nat(sizes.kernel - 1),
      }),
    );
  return fc.array(axis, { minLength: rank, maxLength: rank }).map((axes) => ({
    spatial: axes.map(({ sizes }) => (sizes.kernel - 1) * sizes.dilation + 1 + sizes.extra),
    kernel_shape: axes.map(({ sizes }) => sizes.kernel),
    strides: axes.map(({ sizes }) => sizes.stride),
    pads: [...axes.map(({ before }) => before), ...axes.map(({ after }) => after)],
    dilations: axes.map(({ sizes }) => sizes.dilation),
  }));
}

const rank1to2 = fc.integer({ min: 1, max: 2 });

function pool<Op extends 'AveragePool' | 'MaxPool'>(dilated: boolean, extra: fc.Arbitrary<object>): Cases<Op> {
  return fc
    .tuple(
      rank1to2.chain((rank) => windowCase(rank, dilated)),
      shapeOf(2, 2),
      extra,
    )
    .map(([{ spatial, dilations, ...window }, lead, more]) => ({
      operands: [float([...lead, ...spatial])],
      attributes: { ...window, ...(dilated ? { dilations } : {}), ...more } as OpAttributes[Op],
    }));
}

const convolution = fc.record({
  window: rank1to2.chain((rank) => windowCase(rank, true)),
  batch: fc.integer({ min: 1, max: 2 }),
  group: fc.integer({ min: 1, max: 2 }),
  inPerGroup: fc.integer({ min: 1, max: 3 }),
  outPerGroup: fc.integer({ min: 1, max: 3 }),
  biased: fc.boolean(),
});

const stash = dtypes.float32.onnx;
const epsilon = { float: 1e-5 };

export const operatorCases: { readonly [Op in Exclude<OpName, ControlFlow>]: Cases<Op> } = {
  Neg: unary('float32', 'int64', 'int32'),
  Abs: unary('float32', 'int64', 'int32'),
  Sign: unary('float32', 'int64', 'int32'),
  Exp: unary('float32'),
  Log: unary('float32'),
  Sqrt: unary('float32'),
  Reciprocal: unary('float32'),
  Sin: unary('float32'),
  Cos: unary('float32'),
  Tanh: unary('float32'),
  Sigmoid: unary('float32'),
  Erf: unary('float32'),
  Relu: unary('float32'),
  Softplus: unary('float32'),
  Floor: unary('float32'),
  Round: unary('float32'),
  Not: unary('bool'),
  Identity: unary('float32', 'int64', 'int32', 'bool', 'uint8'),
  Add: binary('float32', 'int64', 'int32'),
  Sub: binary('float32', 'int64', 'int32'),
  Mul: binary('float32', 'int64', 'int32'),
  Div: binary('float32', 'int64', 'int32'),
  Mod: binary('int64', 'int32'),
  Pow: binary('float32', 'int64', 'int32'),
  Min: binary('float32', 'int64', 'int32'),
  Max: binary('float32', 'int64', 'int32'),
  Equal: binary('float32', 'int64', 'int32', 'bool'),
  Less: binary('float32', 'int64', 'int32'),
  LessOrEqual: binary('float32', 'int64', 'int32'),
  Greater: binary('float32', 'int64', 'int32'),
  GreaterOrEqual: binary('float32', 'int64', 'int32'),
  And: binary('bool'),
  Or: binary('bool'),
  Cast: fc
    .tuple(anyShape, fc.constantFrom<DType>('float32', 'float64', 'int64', 'int32', 'bool', 'uint8', 'float16'))
    .chain(([shape, dtype]) =>
      fc
        .constantFrom<DType>('float32', 'float64', 'int64', 'int32', 'bool', 'uint8', 'float16')
        .map((to) => ({ operands: [{ dtype, shape }], attributes: { to } })),
    ),
  Clip: fc.tuple(anyShape, fc.constantFrom<DType>('float32', 'int64')).map(([shape, dtype]) => ({
    operands: [
      { dtype, shape },
      { dtype, shape: [], constant: [-1] },
      { dtype, shape: [], constant: [1] },
    ],
    attributes: noAttributes,
  })),
  Where: fc
    .tuple(broadcasting(3), fc.constantFrom<DType>('float32', 'int64', 'uint8'))
    .map(([[c = [], a = [], b = []], dtype]) => ({
      operands: [
        { dtype: 'bool', shape: c },
        { dtype, shape: a },
        { dtype, shape: b },
      ],
      attributes: noAttributes,
    })),
  Gelu: fc
    .tuple(shapeOf(0), fc.constantFrom('none' as const, 'tanh' as const))
    .map(([shape, approximate]) => ({ operands: [float(shape)], attributes: { approximate } })),
  QuickGelu: shapeOf(1).map((shape) => ({ operands: [float(shape)], attributes: { alpha: { float: 1.7 } } })),

  MatMul: product.map(({ left, right }) => ({ operands: [float(left), float(right)], attributes: noAttributes })),
  FusedMatMul: fc.tuple(product, flag, flag).map(([{ left, right }, transA, transB]) => ({
    operands: [float(swapLast(left, transA)), float(swapLast(right, transB))],
    attributes: { transA, transB, alpha: { float: 0.5 } },
  })),
  Gemm: fc
    .tuple(shapeOf(3, 3), flag, flag, fc.constantFrom('none', 'scalar', 'row', 'column', 'full'))
    .map(([[m = 1, k = 1, n = 1], transA, transB, addend]) => {
      const shapes: Record<string, Shape | undefined> = { scalar: [], row: [n], column: [m, 1], full: [m, n] };
      const c = shapes[addend];
      return {
        operands: [float(swapLast([m, k], transA)), float(swapLast([k, n], transB)), ...(c ? [float(c)] : [])],
        attributes: { transA, transB, alpha: { float: 2 }, beta: { float: 1 } },
      };
    }),
  Softmax: alongAxis<'Softmax'>(),
  LogSoftmax: alongAxis<'LogSoftmax'>(),
  ReduceSum: reduction(),
  ReduceMean: reduction(),
  ReduceMax: reduction(),
  ReduceMin: reduction(),
  ReduceProd: reduction(),
  CumSum: fc.tuple(shapeAndAxis(), flag, flag).map(([[shape, axis], exclusive, reverse]) => ({
    operands: [float(shape), { dtype: 'int64', shape: [], constant: [axis] }],
    attributes: { exclusive, reverse },
  })),
  ArgMax: fc
    .tuple(shapeAndAxis(), flag)
    .map(([[shape, axis], keepdims]) => ({ operands: [float(shape)], attributes: { axis, keepdims } })),
  TopK: fc.tuple(shapeAndAxis(), fc.nat(3), flag).map(([[shape, axis], k, largest]) => ({
    operands: [float(shape), ints([1 + (k % at(shape, axis))])],
    attributes: { axis, largest, sorted: 1 },
  })),

  Reshape: anyShape.chain((shape) =>
    fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }).map((order) => {
      const target = [1, ...order.map((axis) => at(shape, axis))];
      return {
        operands: [float(shape), ints(target)],
        attributes: target.includes(0) ? { allowzero: 1 as const } : {},
      };
    }),
  ),
  Transpose: anyShape.chain((shape) =>
    fc
      .shuffledSubarray([...shape.keys()], { minLength: shape.length })
      .map((perm) => ({ operands: [float(shape)], attributes: { perm } })),
  ),
  Expand: broadcasting(2).map(([a = [], b = []]) => ({
    operands: [float(a), ints(broadcastShapes(a, b) ?? a)],
    attributes: noAttributes,
  })),
  Slice: shapeOf(1, 4, 0).chain((shape) =>
    fc
      .tuple(
        fc.subarray([...shape.keys()], { minLength: 1 }),
        fc.array(fc.tuple(fc.nat(4), fc.nat(4), fc.constantFrom(1, 2, 3, -1, -2)), { minLength: 4, maxLength: 4 }),
      )
      .map(([axes, ranges]) => {
        const bounds = axes.map((axis, i) => {
          const [from = 0, to = 0, step = 1] = ranges[i] ?? [];
          const dim = at(shape, axis);
          const start = Math.min(from, step > 0 ? dim : Math.max(dim - 1, 0));
          return { start, end: step < 0 && to === 4 ? -(2 ** 31) : Math.min(to, dim), step };
        });
        const lists = [bounds.map((b) => b.start), bounds.map((b) => b.end), axes, bounds.map((b) => b.step)];
        return { operands: [float(shape), ...lists.map(ints)], attributes: noAttributes };
      }),
  ),
  Concat: fc
    .tuple(shapeAndAxis(), fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }))
    .map(([[shape, axis], lengths]) => ({
      operands: lengths.map((length) => float(shape.with(axis, length))),
      attributes: { axis },
    })),
  Split: fc
    .tuple(shapeAndAxis(), fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }))
    .map(([[shape, axis], lengths]) => ({
      operands: [
        float(
          shape.with(
            axis,
            lengths.reduce((sum, length) => sum + length, 0),
          ),
        ),
        ints(lengths),
      ],
      attributes: { axis },
    })),
  Pad: fc
    .tuple(shapeOf(1), fc.constantFrom('constant' as const, 'reflect' as const, 'edge' as const))
    .chain(([shape, mode]) =>
      fc
        .tuple(
          ...[...shape, ...shape].map((dim) => fc.integer({ min: 0, max: mode === 'reflect' ? dim - 1 : 3 })),
          fc.boolean(),
        )
        .map((drawn) => {
          const cut = drawn.at(-1) === true && mode === 'constant';
          const pads = drawn.slice(0, -1).map(Number);
          // Taking away: at most the whole axis, from its front.
          const amounts = cut ? pads.map((pad, i) => (i < shape.length ? -Math.min(pad, at(shape, i)) : pad)) : pads;
          return {
            operands: [float(shape), ints(amounts), { dtype: 'float32' as const, shape: [], constant: [0.5] }],
            attributes: { mode },
          };
        }),
    ),
  Gather: fc.tuple(shapeAndAxis(), anyShape).map(([[shape, axis], indices]) => ({
    operands: [float(shape), indexInto(at(shape, axis), indices.slice(0, 2))],
    attributes: { axis },
  })),
  GatherElements: fc.tuple(shapeAndAxis(), fc.integer({ min: 1, max: 6 })).map(([[shape, axis], count]) => ({
    operands: [float(shape), indexInto(at(shape, axis), shape.with(axis, count))],
    attributes: { axis },
  })),
  ScatterElements: fc
    .tuple(shapeAndAxis(), fc.integer({ min: 1, max: 6 }), fc.constantFrom('none' as const, 'add' as const))
    .map(([[shape, axis], count, reductionName]) => ({
      operands: [float(shape), indexInto(at(shape, axis), shape.with(axis, count)), float(shape.with(axis, count))],
      attributes: { axis, reduction: reductionName },
    })),
  ScatterND: fc.tuple(shapeOf(1), fc.nat(3), fc.integer({ min: 1, max: 3 })).map(([shape, cut, count]) => {
    const depth = 1 + (cut % shape.length);
    return {
      operands: [
        float(shape),
        indexInto(Math.min(...shape.slice(0, depth)), [count, depth]),
        float([count, ...shape.slice(depth)]),
      ],
      attributes: { reduction: 'none' as const },
    };
  }),
  OneHot: fc.tuple(shapeOf(1, 4, 0), fc.integer({ min: 1, max: 5 })).map(([shape, depth]) => ({
    operands: [indexInto(depth, shape), ints([depth]), { dtype: 'float32', shape: [2], constant: [0, 1] }],
    attributes: { axis: -1 },
  })),

  SimplifiedLayerNormalization: shapeOf(1).map((shape) => ({
    operands: [float(shape), float(shape.slice(-1))],
    attributes: { axis: -1, epsilon, stash_type: stash },
  })),
  LayerNormalization: shapeOf(1).map((shape) => ({
    operands: [float(shape), float(shape.slice(-1)), float(shape.slice(-1))],
    attributes: { axis: -1, epsilon, stash_type: stash },
  })),
  Conv: convolution.map(({ window: { spatial, ...window }, batch, group, inPerGroup, outPerGroup, biased }) => ({
    operands: [
      float([batch, group * inPerGroup, ...spatial]),
      float([group * outPerGroup, inPerGroup, ...window.kernel_shape]),
      ...(biased ? [float([group * outPerGroup])] : []),
    ],
    attributes: { ...window, group },
  })),
  ConvTranspose: convolution.map(
    ({ window: { spatial, ...window }, batch, group, inPerGroup, outPerGroup, biased }) => ({
      operands: [
        float([batch, group * inPerGroup, ...spatial]),
        float([group * inPerGroup, outPerGroup, ...window.kernel_shape]),
        ...(biased ? [float([group * outPerGroup])] : []),
      ],
      attributes: { ...window, group, output_padding: window.strides.map((stride) => stride - 1) },
    }),
  ),
  AveragePool: pool<'AveragePool'>(false, fc.record({ count_include_pad: flag })),
  MaxPool: pool<'MaxPool'>(true, fc.constant({})),
  Resize: fc
    .tuple(shapeOf(4, 4), shapeOf(2, 2), fc.constantFrom('nearest' as const, 'linear' as const))
    .map(([shape, [height = 1, width = 1], mode]) => ({
      operands: [float(shape), undefined, undefined, ints([...shape.slice(0, 2), height, width])],
      attributes: {
        mode,
        coordinate_transformation_mode: mode === 'nearest' ? 'asymmetric' : 'half_pixel',
        nearest_mode: 'floor' as const,
      },
    })),
  RotaryEmbedding: fc
    .tuple(shapeOf(3, 3), fc.integer({ min: 1, max: 2 }), flag)
    .map(([[batch = 1, heads = 1, length = 1], half, interleaved]) => ({
      operands: [
        float([batch, heads, length, half * 2]),
        indexInto(length, [batch, length]),
        float([length, half]),
        float([length, half]),
      ],
      attributes: { interleaved },
    })),
  Attention: fc
    .tuple(shapeOf(4, 4), fc.integer({ min: 1, max: 2 }), fc.nat(3), flag, fc.boolean())
    .map(([[batch = 1, heads = 1, length = 1, width = 1], repeat, past, is_causal, masked]) => {
      const key = float([batch, heads, length, width]);
      const cache = float([batch, heads, past + 1, width]);
      const total = past > 0 ? length + past + 1 : length;
      const mask = masked ? float([length, total]) : undefined;
      return {
        operands: [
          float([batch, heads * repeat, length, width]),
          key,
          key,
          ...(past > 0 ? [mask, cache, cache] : mask ? [mask] : []),
        ],
        attributes: { scale: { float: 0.5 }, is_causal },
      };
    }),
};

/** Where an operator does not exist yet. */
const absent: Readonly<Partial<Record<Target, readonly OpName[]>>> = {
  cuda: ['Attention', 'Gelu'],
  reference: ['Attention', 'Gelu'],
};

/** The operators that there are cases for, on a target. */
export function casesFor(target: Target): readonly (keyof typeof operatorCases)[] {
  // The keys are those of the type, which Object.keys does not say.
  const names = Object.keys(operatorCases) as (keyof typeof operatorCases)[];
  return names.filter((op) => !absent[target]?.includes(op));
}

/** What is fed for an operand. */
export function valuesOf({ dtype, shape, fill = (i) => (i % 5) - 2 }: OperandCase): TensorData {
  const count = sizeOf(shape);
  const unsigned = dtype === 'uint8' || dtype === 'bool';
  if (dtype === 'float16') return { dtype, shape, data: allocate('float16', count) };
  const list = Array.from({ length: count }, (_, i) => fill(i));
  return tensorData(dtype, shape, unsigned ? list.map((value) => (value > 0 ? 1 : 0)) : list);
}

/** Appends the operator to the graph; gives the outputs, and what to feed. `hide` says which lengths to declare as changing. */
export function buildCase(
  graph: Graph,
  op: OpName,
  { operands, attributes }: OperatorCase,
  options: { prefix: string; hide?: (operand: number, axis: number) => boolean },
): { outputs: readonly Tensor[]; feeds: Record<string, TensorData> } {
  const { prefix, hide = () => false } = options;
  const feeds: Record<string, TensorData> = {};
  const tensors = operands.map((operand, i) => {
    if (!operand) return undefined;
    if (operand.constant) return constant(graph, operand.dtype, operand.shape, operand.constant);
    const name = `${prefix}/${i}`;
    feeds[name] = valuesOf(operand);
    const shape = operand.shape.map((dim, axis) => (hide(i, axis) ? DYNAMIC : dim));
    return input(graph, name, { dtype: operand.dtype, shape });
  });
  const outputs = emit(graph, op, tensors, { attributes });
  for (const [i, tensor] of outputs.entries()) output(`${prefix}=${i}`, tensor);
  return { outputs, feeds };
}
