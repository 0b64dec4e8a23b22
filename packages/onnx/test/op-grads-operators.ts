/**
 * The operators of the fixture `op-grads` in terms of this package's functions: most are one of them, the rest is composed here. What
 * each means is written in the OPS table of the program that made the fixture (PyTorch, one line each).
 */
import { constant, type Tensor } from '../src/graph/graph.ts';
import * as activations from '../src/ops/activations.ts';
import * as ops from '../src/ops/arithmetic.ts';
import { attention } from '../src/ops/attention.ts';
import { conv, convTranspose } from '../src/ops/convolution.ts';
import { erf } from '../src/ops/erf.ts';
import * as linear from '../src/ops/linear.ts';
import * as losses from '../src/ops/losses.ts';
import * as movement from '../src/ops/movement.ts';
import * as norms from '../src/ops/norms.ts';
import * as pooling from '../src/ops/pooling.ts';
import * as resize from '../src/ops/resize.ts';
import { rope } from '../src/ops/rope.ts';

type Ints = readonly number[];
type PerAxis = number | Ints;

/** The attributes of all operators together; each operator has its own among them. */
export interface Attributes {
  readonly align_corners: boolean;
  readonly approximate?: 'none' | 'tanh';
  readonly axes: Ints | null;
  readonly axis: number;
  readonly causal?: boolean;
  readonly correction: number;
  readonly count_include_pad?: boolean;
  readonly descending: boolean;
  readonly dilation?: PerAxis;
  readonly eps: number;
  readonly equation: string;
  readonly exponent?: number;
  readonly factor: number;
  readonly groups?: number;
  readonly ignore_index: number;
  readonly k?: number;
  readonly keepdims?: boolean;
  readonly kernel: PerAxis;
  readonly last_dims?: number;
  readonly max?: number;
  readonly min?: number;
  readonly output_padding?: PerAxis;
  readonly padding?: PerAxis;
  readonly pads?: Ints;
  readonly pads_last_dim_first: Ints;
  readonly perm: Ints;
  readonly positions: Ints;
  readonly reduction: 'mean' | 'sum' | 'none';
  readonly repeats: PerAxis;
  readonly rotary_dim?: number;
  readonly scale?: number;
  readonly shape: Ints;
  readonly shift: number;
  readonly size: readonly [height: number, width: number];
  readonly sizes: Ints;
  readonly slices: readonly (readonly [start: number | null, end: number | null, step: number | null])[];
  readonly stride?: PerAxis;
  readonly take: number;
  readonly theta: number;
  readonly value?: number;
}

export interface Step {
  readonly op: string;
  readonly in: readonly string[];
  readonly out: string;
  readonly attrs?: Attributes;
}

type Build = (at: Attributes, ...inputs: Tensor[]) => Tensor;

const unary =
  (build: (x: Tensor) => Tensor): Build =>
  (_at, x) =>
    build(x);
const binary =
  (build: (a: Tensor, b: Tensor) => Tensor): Build =>
  (_at, a, b) =>
    build(a, b);
const reduction =
  (build: typeof linear.sum): Build =>
  (at, x) =>
    build(x, at.axes ?? undefined, { keepDims: at.keepdims ?? false });

export const operators: Readonly<Record<string, Build>> = {
  // Products
  matmul: binary((a, b) => linear.matmul(a, b)),
  linear: (_at, x, weight, bias) => linear.linear(x, weight, bias),
  einsum: (at, a, b) => {
    if (at.equation !== 'bid,bjd->bij') throw new Error(`No function for einsum ${at.equation}.`);
    return linear.matmul(a, b, { transB: true });
  },
  // Element by element
  add: binary(ops.add),
  sub: binary(ops.sub),
  mul: binary(ops.mul),
  div: binary(ops.div),
  maximum: binary(ops.maximum),
  minimum: binary(ops.minimum),
  pow: (at, base, exponent) => ops.pow(base, at.exponent ?? exponent),
  exp: unary(ops.exp),
  log: unary(ops.log),
  log1p: unary((x) => ops.log(ops.add(x, 1))),
  sqrt: unary(ops.sqrt),
  rsqrt: unary((x) => ops.reciprocal(ops.sqrt(x))),
  tanh: unary(ops.tanh),
  sigmoid: unary(ops.sigmoid),
  erf: unary(erf),
  gelu: (at, x) => activations.gelu(x, at.approximate),
  silu: unary(activations.silu),
  relu: unary(ops.relu),
  abs: unary(ops.abs),
  neg: unary(ops.neg),
  reciprocal: unary(ops.reciprocal),
  square: unary(ops.square),
  sin: unary(ops.sin),
  cos: unary(ops.cos),
  softplus: unary(ops.softplus),
  logsigmoid: unary(activations.logSigmoid),
  clip: (at, x) => ops.clip(x, at.min ?? Number.NEGATIVE_INFINITY, at.max ?? Number.POSITIVE_INFINITY),
  scale_shift: (at, x) => ops.add(ops.mul(x, at.scale ?? 1), at.shift),
  stop_gradient: unary(ops.stopGradient),
  // Softmax
  softmax: (at, x) => linear.softmax(x, at.axis),
  log_softmax: (at, x) => linear.logSoftmax(x, at.axis),
  logsumexp: (at, x) => {
    const keepDims = { keepDims: at.keepdims ?? false };
    const most = ops.stopGradient(linear.reduceMax(x, [at.axis], { keepDims: true }));
    const total = linear.sum(ops.exp(ops.sub(x, most)), [at.axis], keepDims);
    return ops.add(ops.log(total), movement.reshape(most, total.shape));
  },
  // Reductions
  reduce_sum: reduction(linear.sum),
  reduce_mean: reduction(linear.mean),
  reduce_max: reduction(linear.reduceMax),
  reduce_min: reduction(linear.reduceMin),
  reduce_prod: reduction(linear.reduceProd),
  variance: (at, x) => linear.variance(x, [at.axis], { correction: at.correction, keepDims: at.keepdims ?? false }),
  cumsum: (at, x) => linear.cumsum(x, at.axis),
  topk_values: (at, x) => linear.topK(x, at.k ?? 1, at.axis).values,
  sort_values: (at, x) => {
    const { values } = linear.topK(x, x.shape.at(at.axis) ?? 1, at.axis);
    return at.descending ? values : movement.flip(values, at.axis);
  },
  // Movement
  transpose: (at, x) => movement.transpose(x, at.perm),
  reshape: (at, x) => movement.reshape(x, at.shape),
  squeeze: (at, x) => movement.squeeze(x, at.axis),
  unsqueeze: (at, x) => movement.unsqueeze(x, at.axis),
  expand: (at, x) => movement.expand(x, at.shape),
  tile: (at, x) => movement.tile(x, [at.repeats].flat()),
  repeat_interleave: (at, x) => movement.repeatInterleave(x, at.axis, Number(at.repeats)),
  flip: (at, x) => (at.axes ?? []).reduce(movement.flip, x),
  slice: (at, x) =>
    at.slices.reduce(
      (part, [start, end, step], axis) =>
        movement.slice(part, axis, {
          ...(start === null ? {} : { start }),
          ...(end === null ? {} : { end }),
          ...(step === null ? {} : { step }),
        }),
      x,
    ),
  concat: (at, ...parts) => movement.concat(parts, at.axis),
  stack: (at, ...parts) => movement.stack(parts, at.axis),
  split_take: (at, x) => movement.split(x, at.axis, at.sizes)[at.take] ?? x,
  pad: (at, x) => {
    const pairs = x.shape.map((_, axis) => {
      const from = 2 * (x.shape.length - 1 - axis);
      return [at.pads_last_dim_first[from] ?? 0, at.pads_last_dim_first[from + 1] ?? 0] as const;
    });
    return movement.pad(x, pairs, { value: at.value ?? 0 });
  },
  pixel_shuffle: (at, x) => resize.pixelShuffle(x, at.factor),
  tril: (at, x) => {
    const [rows = 0, columns = 0] = x.shape.slice(-2);
    const below = Array.from(
      { length: rows * columns },
      (_, i) => (i % columns) - Math.floor(i / columns) <= (at.k ?? 0),
    );
    return ops.where(constant(x.block.graph, 'bool', [rows, columns], below), x, 0);
  },
  // Indices and masks
  embedding: binary((table, ids) => movement.gather(table, ids)),
  gather: (at, x, indices) => movement.gather(x, indices, at.axis),
  take_along_dim: (at, x, indices) => movement.gatherElements(x, indices, at.axis),
  index_add: (at, x, indices, updates) => {
    const places = movement.reshape(
      indices,
      updates.shape.map((dim, i) => (i === at.axis ? dim : 1)),
    );
    const spread = movement.expand(places, updates.shape);
    return movement.scatterElements(x, spread, updates, { axis: at.axis, reduction: 'add' });
  },
  where: (_at, condition, a, b) => ops.where(ops.cast(condition, 'bool'), a, b),
  masked_fill: (at, x, mask) => ops.where(ops.cast(mask, 'bool'), at.value ?? 0, x),
  scatter_rows: (_at, x, mask, rows) => movement.replaceRows(x, ops.cast(mask, 'bool'), rows),
  // Norms
  rms_norm: (at, x, scale) => norms.rmsNorm(x, scale, at.eps),
  layer_norm: (at, x, scale, bias) => norms.layerNorm(x, { scale, bias, epsilon: at.eps, axes: at.last_dims ?? 1 }),
  group_norm: (at, x, scale, bias) => norms.groupNorm(x, at.groups ?? 1, { scale, bias, epsilon: at.eps }),
  batch_norm_inference: (at, x, mean, variance, scale, bias) =>
    norms.batchNorm(x, { mean, variance, scale, bias, epsilon: at.eps }),
  l2_normalise: (at, x) => norms.l2Normalise(x, at.axis, at.eps),
  cosine_similarity: (at, a, b) =>
    linear.sum(ops.mul(norms.l2Normalise(a, at.axis, at.eps), norms.l2Normalise(b, at.axis, at.eps)), [at.axis]),
  // Windows
  conv1d: convolution,
  conv2d: convolution,
  conv3d: convolution,
  conv_transpose2d: (at, x, weight, bias) =>
    convTranspose(x, weight, {
      bias,
      stride: at.stride ?? 1,
      pads: twoSided(at.padding),
      outputPadding: at.output_padding ?? 0,
      groups: at.groups ?? 1,
      dilation: at.dilation ?? 1,
    }),
  avg_pool2d: (at, x) => pooling.avgPool(x, { ...poolOf(at), countIncludePad: at.count_include_pad ?? true }),
  max_pool2d: (at, x) => pooling.maxPool(x, poolOf(at)),
  resize_nearest: (at, x) =>
    resize.resizeNearest(
      x,
      x.shape.slice(2).map((length) => length * (at.scale ?? 1)),
    ),
  resize_bilinear: (at, x) => resize.resizeBilinear(x, at.size, { alignCorners: at.align_corners }),
  // Rotary embeddings and attention
  rope_half: (at, x) => rotary(at, x, false),
  rope_interleaved: (at, x) => rotary(at, x, true),
  sdpa: (at, q, k, v, keys) => attention(q, k, v, { mask: attentionMask(at, q, k, keys), ...scaleOf(at) }),
  // Losses
  cross_entropy: (at, logits, targets) =>
    losses.crossEntropy(logits, targets, { ignoreIndex: at.ignore_index, reduction: at.reduction }),
  token_log_prob: binary(losses.tokenLogProb),
  kl_div_rows: binary(losses.klDivergence),
  entropy_rows: unary(losses.entropy),
};

function convolution(at: Attributes, x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const { stride = 1, dilation = 1, groups = 1 } = at;
  return conv(x, weight, { bias, stride, dilation, groups, pads: at.pads ?? twoSided(at.padding) });
}

function poolOf({ kernel, stride = kernel, padding }: Attributes) {
  return { kernel, stride, pads: twoSided(padding) };
}

/** PyTorch pads both sides of an axis alike. */
function twoSided(padding: PerAxis = 0): PerAxis {
  return typeof padding === 'number' ? padding : [...padding, ...padding];
}

/** The angles are those of the positions given, in float64 as the reference has them. */
function rotary(at: Attributes, x: Tensor, interleaved: boolean): Tensor {
  const { graph } = x.block;
  const [length = 0, width = 0] = x.shape.slice(-2);
  const rotated = at.rotary_dim ?? width;
  const angles = at.positions.flatMap((position) =>
    Array.from({ length: rotated / 2 }, (_, i) => position * at.theta ** ((-2 * i) / rotated)),
  );
  const table = (values: readonly number[]) => constant(graph, x.dtype, [length, rotated / 2], values);
  const heads = movement.reshape(x, [-1, 1, length, width]);
  const places = Array.from({ length: heads.shape[0] ?? 0 }, () => [...at.positions.keys()]).flat();
  const positions = constant(graph, 'int64', [heads.shape[0] ?? 0, length], places);
  const tables = { cos: table(angles.map(Math.cos)), sin: table(angles.map(Math.sin)) };
  return movement.reshape(rope(heads, positions, tables, { interleaved }), x.shape);
}

/** Additive: the queries are the last positions; `keys` [B, S] is 1 where a key may be seen. */
function attentionMask(at: Attributes, q: Tensor, k: Tensor, keys?: Tensor): Tensor | undefined {
  const [length = 0, all = 0] = [q.shape[2], k.shape[2]];
  const causal = constant(
    q.block.graph,
    q.dtype,
    [1, 1, length, all],
    Array.from({ length: length * all }, (_, i) =>
      at.causal && (i % all) - Math.floor(i / all) > all - length ? -1e30 : 0,
    ),
  );
  if (!keys) return causal;
  const hidden = ops.where(
    ops.cast(movement.unsqueeze(keys, 1, 2), 'bool'),
    0,
    constant(q.block.graph, q.dtype, [], [-1e30]),
  );
  return ops.add(causal, hidden);
}

function scaleOf({ scale }: Attributes): { scale?: number } {
  return scale === undefined ? {} : { scale };
}
