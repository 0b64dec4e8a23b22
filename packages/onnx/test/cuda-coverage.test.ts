/**
 * Every function that appends operators, built for CUDA in every floating-point dtype, with its gradients: each node has a
 * kernel there. What float16 graphs compute is compared on the CPU beside each function (`twins.ts`); models have their own.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { gradients } from '../src/autodiff/grad.ts';
import { type FloatDType, isFloat } from '../src/dtype.ts';
import { constant, createGraph, type Graph, input, output, type Tensor } from '../src/graph/graph.ts';
import * as onnx from '../src/index.ts';
import { cudaProblems } from '../src/lowering/kernels.ts';
import { assertCudaReady } from './cuda-ready.ts';

/** Inputs for a function under test. */
interface Make {
  readonly graph: Graph;
  /** A floating-point input. */
  x(...shape: readonly number[]): Tensor;
  /** Integers. */
  ids(...shape: readonly number[]): Tensor;
  bools(...shape: readonly number[]): Tensor;
}

type Build = (make: Make) => Tensor;

const unary =
  (write: (x: Tensor) => Tensor): Build =>
  ({ x }) =>
    write(x(2, 3));
const binary =
  (write: (a: Tensor, b: Tensor) => Tensor): Build =>
  ({ x }) =>
    write(x(2, 3), x(3));
const integers =
  (write: (a: Tensor, b: Tensor) => Tensor): Build =>
  ({ ids }) =>
    write(ids(2, 3), ids(3));
const logical =
  (write: (a: Tensor, b: Tensor) => Tensor): Build =>
  ({ bools }) =>
    write(bools(2, 3), bools(3));

const builds: Readonly<Record<string, Build>> = {
  neg: unary(onnx.neg),
  abs: unary(onnx.abs),
  sign: unary(onnx.sign),
  exp: unary(onnx.exp),
  log: unary(onnx.log),
  sqrt: unary(onnx.sqrt),
  reciprocal: unary(onnx.reciprocal),
  sin: unary(onnx.sin),
  cos: unary(onnx.cos),
  tanh: unary(onnx.tanh),
  sigmoid: unary(onnx.sigmoid),
  relu: unary(onnx.relu),
  softplus: unary(onnx.softplus),
  floor: unary(onnx.floor),
  round: unary(onnx.round),
  square: unary(onnx.square),
  silu: unary(onnx.silu),
  logSigmoid: unary(onnx.logSigmoid),
  erf: unary(onnx.erf),
  stopGradient: unary(onnx.stopGradient),
  gelu: unary(onnx.gelu),
  'gelu by tanh': unary((x) => onnx.gelu(x, 'tanh')),
  add: binary(onnx.add),
  sub: binary(onnx.sub),
  mul: binary(onnx.mul),
  div: binary(onnx.div),
  pow: binary(onnx.pow),
  minimum: binary(onnx.minimum),
  maximum: binary(onnx.maximum),
  equal: binary(onnx.equal),
  less: binary(onnx.less),
  lessOrEqual: binary(onnx.lessOrEqual),
  greater: binary(onnx.greater),
  greaterOrEqual: binary(onnx.greaterOrEqual),
  mod: integers(onnx.mod),
  and: logical(onnx.and),
  or: logical(onnx.or),
  not: ({ bools }) => onnx.not(bools(3)),
  clip: unary((x) => onnx.clip(x, -1, 1)),
  where: ({ x, bools }) => onnx.where(bools(3), x(2, 3), 0),
  cast: unary((x) => onnx.cast(x, 'float32')),
  straightThrough: ({ x }) => onnx.straightThrough(x(3), x(3)),

  matmul: ({ x }) => onnx.matmul(x(2, 3, 4), x(5, 4), { transB: true, alpha: 0.5 }),
  gemm: ({ x }) => onnx.gemm(x(3, 2), x(3, 4), { transA: true, addend: x(4) }),
  linear: ({ x }) => onnx.linear(x(2, 3, 4), x(5, 4), x(5)),
  softmax: unary(onnx.softmax),
  logSoftmax: unary(onnx.logSoftmax),
  sum: unary((x) => onnx.sum(x, [1])),
  mean: unary((x) => onnx.mean(x, [1])),
  reduceMax: unary((x) => onnx.reduceMax(x, [1])),
  reduceMin: unary((x) => onnx.reduceMin(x, [1])),
  reduceProd: unary((x) => onnx.reduceProd(x, [1])),
  variance: unary((x) => onnx.variance(x, [1])),
  cumsum: unary((x) => onnx.cumsum(x, 1)),
  argmax: unary((x) => onnx.argmax(x, 1)),
  topK: unary((x) => onnx.topK(x, 2).values),

  reshape: unary((x) => onnx.reshape(x, [3, 2])),
  transpose: unary((x) => onnx.transpose(x, [1, 0])),
  expand: ({ x }) => onnx.expand(x(1, 3), [2, 3]),
  unsqueeze: unary((x) => onnx.unsqueeze(x, 0)),
  squeeze: ({ x }) => onnx.squeeze(x(1, 3), 0),
  slice: unary((x) => onnx.slice(x, 1, { start: 1, step: 2 })),
  flip: unary((x) => onnx.flip(x, 1)),
  concat: ({ x }) => onnx.concat([x(2, 3), x(2, 1)], 1),
  stack: ({ x }) => onnx.stack([x(3), x(3)], 0),
  split: unary((x) => onnx.split(x, 1, [1, 2])[1] ?? x),
  pad: unary((x) =>
    onnx.pad(x, [
      [1, 0],
      [0, 2],
    ]),
  ),
  tile: unary((x) => onnx.tile(x, [2, 1])),
  repeatInterleave: unary((x) => onnx.repeatInterleave(x, 0, 2)),
  gather: ({ x, ids }) => onnx.gather(x(5, 3), ids(2, 2)),
  gatherElements: ({ x, ids }) => onnx.gatherElements(x(5, 3), ids(2, 3), 0),
  scatterElements: ({ x, ids }) => onnx.scatterElements(x(5, 3), ids(2, 3), x(2, 3), { axis: 0, reduction: 'none' }),
  scatterND: ({ x, ids }) => onnx.scatterND(x(5, 3), ids(2, 1), x(2, 3)),
  replaceRows: ({ x, bools }) => onnx.replaceRows(x(2, 3), bools(2), x(2, 3)),
  oneHot: ({ ids }) => onnx.oneHot(ids(3), 4, 'float32'),
  full: ({ graph, x }) => onnx.full(graph, x(2), 3),

  rmsNorm: ({ x }) => onnx.rmsNorm(x(2, 4), x(4), 1e-6),
  layerNorm: ({ x }) => onnx.layerNorm(x(2, 4), { scale: x(4), bias: x(4), epsilon: 1e-6 }),
  groupNorm: ({ x }) => onnx.groupNorm(x(2, 4, 3), 2, { scale: x(4), bias: x(4), epsilon: 1e-6 }),
  batchNorm: ({ x }) =>
    onnx.batchNorm(x(2, 4, 3), { scale: x(4), bias: x(4), mean: x(4), variance: x(4), epsilon: 1e-6 }),
  l2Normalise: unary((x) => onnx.l2Normalise(x, 1, 1e-6)),
  conv: ({ x }) => onnx.conv(x(1, 2, 5, 5), x(4, 2, 3, 3), { bias: x(4), stride: 2, pads: 1 }),
  convTranspose: ({ x }) => onnx.convTranspose(x(1, 2, 4), x(2, 3, 3), { stride: 2 }),
  avgPool: ({ x }) => onnx.avgPool(x(1, 2, 4, 4), { kernel: [2, 2], stride: 2 }),
  maxPool: ({ x }) => onnx.maxPool(x(1, 2, 4, 4), { kernel: [2, 2], stride: 2 }),
  resizeNearest: ({ x }) => onnx.resizeNearest(x(1, 2, 3, 3), [6, 9]),
  resizeBilinear: ({ x }) => onnx.resizeBilinear(x(1, 2, 3, 3), [5, 4]),
  pixelShuffle: ({ x }) => onnx.pixelShuffle(x(1, 8, 2, 2), 2),
  pixelUnshuffle: ({ x }) => onnx.pixelUnshuffle(x(1, 2, 4, 4), 2),
  rope: ({ x, ids }) => onnx.rope(x(1, 2, 3, 4), ids(1, 3), { cos: x(8, 2), sin: x(8, 2) }),
  attention: ({ x }) => onnx.attention(x(1, 4, 3, 2), x(1, 2, 3, 2), x(1, 2, 3, 2), { mask: x(3, 3) }),
  cachedAttention: ({ x }) =>
    onnx.cachedAttention(x(1, 2, 1, 4), {
      k: x(1, 2, 1, 4),
      v: x(1, 2, 1, 4),
      pastK: x(1, 2, 3, 4),
      pastV: x(1, 2, 3, 4),
    }).y,
  causalMask: ({ graph, x }) => onnx.add(onnx.causalMask(graph, x(1).dtype, 3), x(1, 1, 1, 3)),
  paddingMask: ({ bools, x }) => onnx.add(onnx.paddingMask(bools(2, 3), x(1).dtype), x(2, 1, 1, 3)),

  tokenLogProb: ({ x, ids }) => onnx.tokenLogProb(x(2, 5), ids(2)),
  entropy: ({ x }) => onnx.entropy(x(2, 5)),
  klDivergence: ({ x }) => onnx.klDivergence(x(2, 5), x(2, 5)),
  crossEntropy: ({ x, ids }) => onnx.crossEntropy(x(2, 5), ids(2), { ignoreIndex: -100 }),
  loop: ({ graph, x }) => {
    const initial = x(2, 3);
    const { carried } = onnx.loop(graph, { trips: 2, carried: [{ initial }] }, (_, [value = initial]) => ({
      carried: [onnx.silu(value)],
      kept: [value],
    }));
    return onnx.stopGradient(carried[0] ?? initial);
  },
  branch: ({ bools, x }) => {
    const value = x(2, 3);
    const [either = value] = onnx.branch(
      bools(),
      () => [onnx.silu(value)],
      () => [onnx.exp(value)],
    );
    return onnx.stopGradient(either);
  },
};

/** What is exported from `ops/` and appends nothing by itself. */
const helpers = [
  'lift',
  'statisticsDType',
  'turnFilters',
  'windowShares',
  'windowOf',
  'reaches',
  'windowCounts',
  'padSpatial',
  'patches',
  'unfold',
];

/** The function and its gradient in a graph of its own. */
function graphOf(build: Build, dtype: FloatDType): Graph {
  const graph = createGraph({ target: 'cuda' });
  const differentiable: Tensor[] = [];
  let count = 0;
  const fed = (type: Pick<Tensor, 'dtype' | 'shape'>) => input(graph, `in${count++}`, type);
  const y = build({
    graph,
    x: (...shape) => {
      const feed = dtype === 'bfloat16' ? onnx.cast(fed({ dtype: 'float32', shape }), dtype) : fed({ dtype, shape });
      differentiable.push(feed);
      return feed;
    },
    ids: (...shape) => fed({ dtype: 'int64', shape }),
    bools: (...shape) => fed({ dtype: 'bool', shape }),
  });
  const results = [y];
  if (isFloat(y.dtype) && differentiable.length > 0) {
    const seed = onnx.expand(constant(graph, y.dtype, [], [1]), y.shape);
    results.push(...gradients(y, differentiable, { seed }));
  }
  for (const [i, tensor] of results.entries())
    output(`out${i}`, tensor.dtype === 'bfloat16' ? onnx.cast(tensor, 'float32') : tensor);
  return graph;
}

describe.each(['float32', 'float16'] as const)('for CUDA in %s there are kernels for', (dtype) => {
  test.each(Object.entries(builds))('%s', (_, build) => {
    assertCudaReady(graphOf(build, dtype));
  });
});

test('what has none in bfloat16 is known', () => {
  const missing = Object.entries(builds).flatMap(([name, build]) => {
    const operators = cudaProblems(graphOf(build, 'bfloat16')).map((problem) => /CUDA has no (\w+)/.exec(problem)?.[1]);
    return operators.length === 0 ? [] : [`${name}: ${[...new Set(operators)].join(', ')}`];
  });
  expect(missing).toMatchInlineSnapshot(`
    [
      "log: Log",
      "reciprocal: Reciprocal",
      "sin: Sin, Cos",
      "cos: Cos, Sin",
      "relu: Greater",
      "softplus: Softplus",
      "floor: Floor",
      "round: Round",
      "logSigmoid: Softplus",
      "pow: Equal, Log",
      "minimum: Equal, Less",
      "maximum: Equal, Greater",
      "equal: Equal",
      "less: Less",
      "lessOrEqual: LessOrEqual",
      "greater: Greater",
      "greaterOrEqual: GreaterOrEqual",
      "clip: Clip, GreaterOrEqual, LessOrEqual",
      "logSoftmax: LogSoftmax",
      "mean: ReduceMean",
      "reduceMax: ReduceMax, Equal",
      "reduceMin: ReduceMin, Equal",
      "reduceProd: ReduceProd",
      "variance: ReduceMean",
      "cumsum: CumSum",
      "argmax: ArgMax",
      "topK: TopK",
      "pad: Pad",
      "batchNorm: Reciprocal",
      "conv: Conv, ConvTranspose, Pad",
      "convTranspose: ConvTranspose, Conv",
      "avgPool: AveragePool, Resize",
      "maxPool: MaxPool",
      "resizeNearest: Resize, AveragePool",
      "tokenLogProb: ReduceMax, Log",
      "entropy: ReduceMax, Log",
      "klDivergence: ReduceMax, Log",
      "crossEntropy: ReduceMax, Log",
    ]
  `);
});

test('no function is left out', async () => {
  const folder = join(import.meta.dirname, '../src/ops');
  const files = readdirSync(folder).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
  const modules = await Promise.all(files.map((file): Promise<object> => import(join(folder, file))));
  const exported = modules.flatMap((module) =>
    Object.entries(module).flatMap(([name, value]) => (typeof value === 'function' ? [name] : [])),
  );
  const built = Object.keys(builds).map((name) => name.split(' ')[0]);
  expect(new Set([...built, ...helpers])).toEqual(new Set(exported));
});
