/**
 * Every form of an operator that the importer knows, from operator set 7 on, gives the numbers that ONNX Runtime gets from
 * the model itself. One model a line, by the line's title.
 */
import { describe, expect, test } from 'vitest';
import { sizeOf, type TensorData, tensorData, toNumbers } from '../src/tensor-data.ts';
import { type ForeignAttribute, type ForeignNode, foreignModel, node } from './foreign-model.ts';
import { importAndRun, runModel } from './run-model.ts';

const floats = (...shape: readonly number[]): TensorData =>
  tensorData(
    'float32',
    shape,
    Array.from({ length: sizeOf(shape) }, (_, i) => ((i * 7) % 11) / 4 - 1.25),
  );
const positive = (...shape: readonly number[]): TensorData =>
  tensorData(
    'float32',
    shape,
    Array.from({ length: sizeOf(shape) }, (_, i) => ((i * 5) % 7) / 4 + 0.25),
  );
const ints = (...values: readonly number[]): TensorData => tensorData('int64', [values.length], values);
const scalar = (value: number): TensorData => tensorData('float32', [], [value]);

interface Form {
  readonly opset: number;
  readonly feeds: Readonly<Record<string, TensorData>>;
  readonly stored?: Readonly<Record<string, TensorData>>;
  readonly nodes: readonly ForeignNode[];
  readonly outputs?: Readonly<Record<string, 'float32' | 'int64' | 'bool'>>;
}

/** One operator whose operands are called a, b, c …, the first ones fed, the others stored. */
function one(
  op: string,
  opset: number,
  fed: readonly TensorData[],
  options: {
    stored?: readonly (TensorData | undefined)[];
    attributes?: Readonly<Record<string, ForeignAttribute>>;
    domain?: string;
    result?: 'float32' | 'int64' | 'bool';
    /** Further outputs. */
    more?: Readonly<Record<string, 'float32' | 'int64'>>;
  } = {},
): Form {
  const { stored = [], attributes = {}, domain = '', result = 'float32', more = {} } = options;
  const outputs = { y: result, ...more };
  const names = [...'abcdef'];
  const all = [...fed, ...stored];
  const inputs = all.map((data, i) => (data ? (names[i] ?? '') : ''));
  return {
    opset,
    feeds: Object.fromEntries(fed.map((data, i) => [names[i] ?? '', data])),
    stored: Object.fromEntries(stored.flatMap((data, i) => (data ? [[names[fed.length + i] ?? '', data]] : []))),
    nodes: [{ op, inputs, outputs: Object.keys(outputs), attributes, domain }],
    outputs,
  };
}

/** A chain that works out a shape from another, as exporters write it. */
const chained: Form = {
  opset: 11,
  feeds: { x: floats(2, 3, 4) },
  stored: { zero: tensorData('int64', [], [0]), last: tensorData('int64', [], [-1]) },
  nodes: [
    node('Shape', ['x'], ['shape']),
    node('Gather', ['shape', 'zero'], ['batch']),
    node('Gather', ['shape', 'last'], ['width']),
    node('Constant', [], ['two'], { value: tensorData('int64', [], [2]) }),
    node('Div', ['width', 'two'], ['half']),
    node('Cast', ['half'], ['halfFloat'], { to: 1 }),
    node('Floor', ['halfFloat'], ['halfFloor']),
    node('Cast', ['halfFloor'], ['halfInt'], { to: 7 }),
    node('Unsqueeze', ['batch'], ['batch1'], { axes: [0] }),
    node('Unsqueeze', ['halfInt'], ['half1'], { axes: [0] }),
    node('Constant', [], ['open'], { value: ints(-1) }),
    node('Concat', ['batch1', 'open', 'half1'], ['target'], { axis: 0 }),
    node('Reshape', ['x', 'target'], ['y']),
  ],
};

/** How exporters write `expand` with -1 for "as it is": by comparing a shape with -1. */
const expanded: Form = {
  opset: 13,
  feeds: { x: floats(3, 1) },
  stored: { asked: ints(3, 4), one: ints(1), minus: tensorData('int64', [], [-1]) },
  nodes: [
    node('Shape', ['asked'], ['rank']),
    node('ConstantOfShape', ['rank'], ['ones'], { value: ints(1) }),
    node('Mul', ['ones', 'minus'], ['minusOnes']),
    node('Equal', ['asked', 'minusOnes'], ['kept']),
    node('Where', ['kept', 'ones', 'asked'], ['target']),
    node('Expand', ['x', 'target'], ['y']),
  ],
};

/** To the end of an axis: the greatest number there is, which a JavaScript number is not. */
const toTheEnd: Form = {
  opset: 13,
  feeds: { x: floats(3, 5) },
  stored: { start: ints(1), end: tensorData('int64', [1], [2n ** 63n - 1n]), axis: ints(1) },
  nodes: [node('Identity', ['end'], ['far']), node('Slice', ['x', 'start', 'far', 'axis'], ['y'])],
};

const positions: Form = {
  opset: 14,
  feeds: { x: floats(2, 6) },
  stored: { zero: tensorData('int64', [], [0]), one: tensorData('int64', [], [1]) },
  nodes: [
    node('Shape', ['x'], ['width1'], {}),
    node('Gather', ['width1', 'one'], ['width']),
    node('Range', ['zero', 'width', 'one'], ['range']),
    node('Gather', ['x', 'range'], ['y'], { axis: 1 }),
  ],
};

const forms: Readonly<Record<string, Form>> = {
  'shapes worked out by nodes': chained,
  'expansion by comparison with -1': expanded,
  'a slice to the end of all numbers': toTheEnd,
  'positions by Range': positions,

  'Reshape, zero and open dimensions': one('Reshape', 13, [floats(2, 3, 4)], { stored: [ints(0, -1)] }),
  'Reshape, zero that stays': one('Reshape', 14, [floats(2, 0)], {
    stored: [ints(0, 5)],
    attributes: { allowzero: 1 },
  }),
  'Flatten, default axis': one('Flatten', 9, [floats(2, 3, 4)]),
  'Flatten, axis from the end': one('Flatten', 13, [floats(2, 3, 4)], { attributes: { axis: -1 } }),
  'Flatten, everything': one('Flatten', 13, [floats(2, 3)], { attributes: { axis: 0 } }),
  'Squeeze, attribute': one('Squeeze', 11, [floats(1, 3, 1)], { attributes: { axes: [-1] } }),
  'Squeeze, operand': one('Squeeze', 13, [floats(1, 3, 1)], { stored: [ints(0)] }),
  'Squeeze, all': one('Squeeze', 13, [floats(1, 3, 1)]),
  'Unsqueeze, attribute': one('Unsqueeze', 11, [floats(3, 2)], { attributes: { axes: [0, 2] } }),
  'Unsqueeze, operand from the end': one('Unsqueeze', 13, [floats(3, 2)], { stored: [ints(-1, 0)] }),
  'Transpose, reversed by default': one('Transpose', 13, [floats(2, 3, 4)]),
  'Expand, both ways': one('Expand', 13, [floats(3, 1)], { stored: [ints(2, 1, 4)] }),
  Tile: one('Tile', 13, [floats(2, 3)], { stored: [ints(2, 3)] }),
  'Slice, attributes': one('Slice', 9, [floats(4, 5)], { attributes: { starts: [1, -3], ends: [100, -1] } }),
  'Slice, attributes with axes': one('Slice', 9, [floats(4, 5)], { attributes: { starts: [1], ends: [4], axes: [1] } }),
  'Slice, steps backwards': one('Slice', 13, [floats(4, 5)], {
    stored: [ints(-1, 3), ints(-100, 0), ints(0, 1), ints(-2, -1)],
  }),
  'Slice, nothing left': one('Slice', 13, [floats(4, 5)], { stored: [ints(3), ints(2), ints(0)] }),
  'Slice, everything': one('Slice', 13, [floats(4, 5)], { stored: [ints(0), ints(99), ints(0)] }),
  'Concat of one': one('Concat', 13, [floats(2, 2)], { attributes: { axis: 0 } }),
  'Concat, axis from the end': one('Concat', 13, [floats(2, 2), floats(2, 3)], { attributes: { axis: -1 } }),
  'Split, equal parts': one('Split', 11, [floats(6, 2)], { more: { z: 'float32', w: 'float32' } }),
  'Split, attribute': one('Split', 11, [floats(6, 2)], { attributes: { split: [1, 5] }, more: { z: 'float32' } }),
  'Split, operand': one('Split', 13, [floats(2, 6)], {
    stored: [ints(2, 4)],
    attributes: { axis: 1 },
    more: { z: 'float32' },
  }),
  'Split, a number of parts': one('Split', 18, [floats(7, 2)], {
    attributes: { num_outputs: 3 },
    more: { z: 'float32', w: 'float32' },
  }),
  'Pad, attributes': one('Pad', 10, [floats(2, 3)], { attributes: { pads: [0, 1, 2, 0], value: { float: 0.5 } } }),
  'Pad, operands': one('Pad', 13, [floats(2, 3)], { stored: [ints(0, 1, 2, 0), scalar(0.5)] }),
  'Pad, some axes': one('Pad', 18, [floats(2, 3)], { stored: [ints(1, 2), scalar(0.5), ints(-1)] }),
  'Pad, reflected': one('Pad', 13, [floats(4, 3)], { stored: [ints(2, 1, 1, 0)], attributes: { mode: 'reflect' } }),
  'Pad, edge, cut': one('Pad', 13, [floats(4, 3)], { stored: [ints(-1, 1, 1, 0)], attributes: { mode: 'edge' } }),
  'Gather, axis from the end': one('Gather', 13, [floats(2, 5)], {
    stored: [ints(4, -1, 0)],
    attributes: { axis: -1 },
  }),
  GatherND: one('GatherND', 13, [floats(3, 4, 2)], { stored: [tensorData('int64', [2, 2], [0, 1, -1, 3])] }),
  'DepthToSpace, depth first': one('DepthToSpace', 13, [floats(1, 8, 2, 3)], { attributes: { blocksize: 2 } }),
  'DepthToSpace, column first': one('DepthToSpace', 13, [floats(1, 8, 2, 3)], {
    attributes: { blocksize: 2, mode: 'CRD' },
  }),
  SpaceToDepth: one('SpaceToDepth', 13, [floats(1, 2, 4, 6)], { attributes: { blocksize: 2 } }),
  'Trilu, upper': one('Trilu', 14, [floats(2, 3, 4)]),
  'Trilu, lower, shifted': one('Trilu', 14, [floats(3, 4)], {
    stored: [tensorData('int64', [], [-1])],
    attributes: { upper: 0 },
  }),
  OneHot: one('OneHot', 13, [ints(1, 0, 3)], {
    stored: [tensorData('int64', [], [4]), tensorData('float32', [2], [-1, 2])],
  }),
  'Shape, a part': one('Shape', 15, [floats(2, 3, 4)], { attributes: { start: -2, end: 3 }, result: 'int64' }),
  Size: one('Size', 13, [floats(2, 3)], { result: 'int64' }),

  'Sum of three': one('Sum', 13, [floats(2, 3), floats(3), floats(2, 1)]),
  'Sum of one': one('Sum', 13, [floats(2, 3)]),
  'Mean of two': one('Mean', 13, [floats(2, 3), floats(3)]),
  'Max of three': one('Max', 13, [floats(2, 3), positive(3), floats(2, 1)]),
  'Min of one': one('Min', 13, [floats(2, 3)]),
  'Pow, integer exponent': one('Pow', 13, [floats(2, 3)], { stored: [tensorData('int64', [], [2])] }),
  Ceil: one('Ceil', 13, [floats(2, 3)]),
  'Mod of integers': one('Mod', 13, [ints(7, -7, 7, -7)], { stored: [ints(3, 3, -3, -3)], result: 'int64' }),
  IsNaN: one('IsNaN', 13, [tensorData('float32', [3], [0, Number.NaN, Number.POSITIVE_INFINITY])], { result: 'bool' }),
  Xor: one('Xor', 13, [tensorData('bool', [4], [0, 0, 1, 1]), tensorData('bool', [4], [0, 1, 0, 1])], {
    result: 'bool',
  }),
  'Clip, attributes': one('Clip', 9, [floats(3, 4)], { attributes: { min: { float: -0.5 } } }),
  'Clip, only above': one('Clip', 13, [floats(3, 4)], { stored: [undefined, scalar(0.5)] }),
  'Clip, unbounded': one('Clip', 13, [floats(3, 4)]),
  CastLike: one('CastLike', 15, [floats(3)], { stored: [ints(1)], result: 'int64' }),
  Dropout: one('Dropout', 13, [floats(3)], { stored: [scalar(0.5)] }),
  LeakyRelu: one('LeakyRelu', 13, [floats(3, 4)], { attributes: { alpha: { float: 0.2 } } }),
  PRelu: one('PRelu', 13, [floats(2, 3, 2)], { stored: [positive(3, 1)] }),
  Elu: one('Elu', 13, [floats(3, 4)]),
  Celu: one('Celu', 13, [floats(3, 4)], { attributes: { alpha: { float: 0.5 } } }),
  Selu: one('Selu', 13, [floats(3, 4)]),
  HardSigmoid: one('HardSigmoid', 13, [floats(3, 4)]),
  HardSwish: one('HardSwish', 14, [floats(3, 4)]),
  Mish: one('Mish', 18, [floats(3, 4)]),
  Softsign: one('Softsign', 13, [floats(3, 4)]),
  ThresholdedRelu: one('ThresholdedRelu', 13, [floats(3, 4)], { attributes: { alpha: { float: 0.5 } } }),
  Gelu: one('Gelu', 20, [floats(3, 4)], { attributes: { approximate: 'tanh' } }),
  'Gelu of com.microsoft': one('Gelu', 17, [floats(3, 4)], { domain: 'com.microsoft' }),
  BiasGelu: one('BiasGelu', 17, [floats(3, 4), floats(4)], { domain: 'com.microsoft' }),
  FastGelu: one('FastGelu', 17, [floats(3, 4), floats(4)], { domain: 'com.microsoft' }),
  QuickGelu: one('QuickGelu', 17, [floats(3, 4)], { domain: 'com.microsoft' }),

  'MatMul of vectors': one('MatMul', 13, [floats(3), floats(3)]),
  'MatMul of a vector and matrices': one('MatMul', 13, [floats(3), floats(2, 3, 4)]),
  'MatMul of matrices and a vector': one('MatMul', 13, [floats(2, 4, 3), floats(3)]),
  'Gemm without addend': one('Gemm', 13, [floats(2, 3), floats(3, 4)]),
  'Gemm, all of it': one('Gemm', 13, [floats(3, 2), floats(4, 3), floats(4)], {
    attributes: { transA: 1, transB: 1, alpha: { float: 0.5 }, beta: { float: 2 } },
  }),
  FusedMatMul: one('FusedMatMul', 17, [floats(2, 3, 4), floats(2, 5, 4)], {
    domain: 'com.microsoft',
    attributes: { transB: 1 },
  }),
  'Softmax, as a matrix': one('Softmax', 11, [floats(2, 3, 4)]),
  'Softmax, last axis of old': one('Softmax', 11, [floats(2, 3, 4)], { attributes: { axis: 2 } }),
  'LogSoftmax, as a matrix': one('LogSoftmax', 11, [floats(2, 3, 4)], { attributes: { axis: 1 } }),
  'LogSoftmax, any axis': one('LogSoftmax', 13, [floats(2, 3, 4)], { attributes: { axis: 1 } }),
  'ReduceSum, attribute': one('ReduceSum', 11, [floats(2, 3, 4)], { attributes: { axes: [-1], keepdims: 0 } }),
  'ReduceSum, operand': one('ReduceSum', 13, [floats(2, 3, 4)], { stored: [ints(0, 2)] }),
  'ReduceSum, nothing': one('ReduceSum', 13, [floats(2, 3)], { attributes: { noop_with_empty_axes: 1 } }),
  'ReduceMean, all': one('ReduceMean', 13, [floats(2, 3)]),
  'ReduceMax, operand': one('ReduceMax', 18, [floats(2, 3)], { stored: [ints(1)], attributes: { keepdims: 0 } }),
  ReduceL1: one('ReduceL1', 13, [floats(2, 3)], { attributes: { axes: [1] } }),
  ReduceL2: one('ReduceL2', 18, [floats(2, 3)], { stored: [ints(-1)] }),
  ReduceSumSquare: one('ReduceSumSquare', 13, [floats(2, 3)], { attributes: { axes: [0], keepdims: 0 } }),
  ReduceLogSum: one('ReduceLogSum', 13, [positive(2, 3)]),
  ReduceLogSumExp: one('ReduceLogSumExp', 13, [floats(2, 3)], { attributes: { axes: [1], keepdims: 0 } }),
  'CumSum, axis from the end': one('CumSum', 14, [floats(2, 3)], {
    stored: [tensorData('int32', [], [-1])],
    attributes: { exclusive: 1 },
  }),
  ArgMax: one('ArgMax', 13, [floats(2, 5)], { attributes: { axis: -1, keepdims: 0 }, result: 'int64' }),
  ArgMin: one('ArgMin', 13, [floats(2, 5)], { attributes: { axis: 1 }, result: 'int64' }),
  'TopK, attribute': one('TopK', 9, [positive(2, 5)], { attributes: { k: 2 }, more: { z: 'int64' } }),
  'TopK, smallest': one('TopK', 11, [positive(2, 5)], {
    stored: [ints(2)],
    attributes: { largest: 0 },
    more: { z: 'int64' },
  }),

  'Conv, defaults': one('Conv', 13, [floats(1, 2, 5, 5), floats(3, 2, 3, 3)]),
  'Conv, groups, strides, bias': one('Conv', 13, [floats(1, 4, 7), floats(6, 2, 3), floats(6)], {
    attributes: { group: 2, strides: [2], pads: [1, 0], dilations: [2] },
  }),
  'Conv, same size, upper': one('Conv', 13, [floats(1, 1, 6, 5), floats(1, 1, 2, 3)], {
    attributes: { auto_pad: 'SAME_UPPER', strides: [2, 2] },
  }),
  'Conv, same size, lower': one('Conv', 13, [floats(1, 1, 6), floats(1, 1, 4)], {
    attributes: { auto_pad: 'SAME_LOWER' },
  }),
  'Conv, valid': one('Conv', 13, [floats(1, 1, 6), floats(1, 1, 4)], { attributes: { auto_pad: 'VALID' } }),
  ConvTranspose: one('ConvTranspose', 13, [floats(1, 2, 4), floats(2, 3, 3)], {
    attributes: { strides: [2], output_padding: [1] },
  }),
  'ConvTranspose to a size': one('ConvTranspose', 13, [floats(1, 2, 4), floats(2, 3, 3)], {
    attributes: { strides: [2], output_shape: [8] },
  }),
  AveragePool: one('AveragePool', 11, [floats(1, 2, 5, 5)], {
    attributes: { kernel_shape: [3, 2], pads: [1, 0, 1, 0], strides: [2, 2] },
  }),
  'AveragePool, ceiling that fits': one('AveragePool', 11, [floats(1, 2, 6)], {
    attributes: { kernel_shape: [2], strides: [2], ceil_mode: 1 },
  }),
  MaxPool: one('MaxPool', 13, [floats(1, 2, 7)], { attributes: { kernel_shape: [3], dilations: [2] } }),
  GlobalAveragePool: one('GlobalAveragePool', 13, [floats(2, 3, 4, 5)]),
  GlobalMaxPool: one('GlobalMaxPool', 13, [floats(2, 3, 4)]),
  Upsample: one('Upsample', 9, [floats(1, 1, 2, 3)], { stored: [tensorData('float32', [4], [1, 1, 2, 2])] }),
  'Resize, nearest by half pixels': one('Resize', 13, [floats(1, 1, 2, 3)], {
    stored: [undefined, tensorData('float32', [4], [1, 1, 2, 3])],
  }),
  'Resize, linear to sizes': one('Resize', 13, [floats(1, 1, 3, 4)], {
    stored: [undefined, undefined, ints(1, 1, 5, 6)],
    attributes: { mode: 'linear' },
  }),
  'Resize, linear, corners': one('Resize', 13, [floats(1, 1, 3, 4)], {
    stored: [undefined, undefined, ints(1, 1, 5, 6)],
    attributes: { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
  }),
  'LayerNormalization without bias': one('LayerNormalization', 17, [floats(2, 3, 4), positive(4)]),
  'LayerNormalization over two axes': one('LayerNormalization', 17, [floats(2, 3, 4), positive(3, 4), floats(3, 4)], {
    attributes: { axis: 1 },
  }),
  BatchNormalization: one('BatchNormalization', 9, [floats(2, 3, 4), positive(3), floats(3), floats(3), positive(3)]),
  InstanceNormalization: one('InstanceNormalization', 13, [floats(2, 3, 4), positive(3), floats(3)]),
  'GroupNormalization by group': one('GroupNormalization', 18, [floats(2, 4, 3), positive(2), floats(2)], {
    attributes: { num_groups: 2 },
  }),
  'GroupNormalization by channel': one('GroupNormalization', 21, [floats(2, 4, 3), positive(4), floats(4)], {
    attributes: { num_groups: 2 },
  }),
};

/** What ONNX Runtime has no kernels for any more, beside the same in words of today. */
const ancient: Readonly<Record<string, readonly [Form, Form]>> = {
  'Add, operator set 6': [
    one('Add', 6, [floats(2, 3), floats(3)], { attributes: { broadcast: 1 } }),
    one('Add', 13, [floats(2, 3), floats(3)]),
  ],
  'Gemm, operator set 6': [
    one('Gemm', 6, [floats(2, 3), floats(3, 4), floats(4)], { attributes: { broadcast: 1 } }),
    one('Gemm', 13, [floats(2, 3), floats(3, 4), floats(4)]),
  ],
  'PRelu, operator set 6': [
    one('PRelu', 6, [floats(2, 3, 2)], { stored: [positive(3)] }),
    one('PRelu', 13, [floats(2, 3, 2)], { stored: [positive(3, 1)] }),
  ],
  'BatchNormalization, operator set 6': [
    one('BatchNormalization', 6, [floats(2, 3, 4), positive(3), floats(3), floats(3), positive(3)], {
      attributes: { is_test: 1, spatial: 1 },
    }),
    one('BatchNormalization', 13, [floats(2, 3, 4), positive(3), floats(3), floats(3), positive(3)]),
  ],
};

function modelOf({ opset, feeds, stored = {}, nodes, outputs = { y: 'float32' } }: Form): Uint8Array {
  const inputs = Object.entries(feeds).map(([name, { dtype, shape }]) => {
    return [name, { dtype, shape: shape.map((_, axis) => `${name}_${axis}`) }] as const;
  });
  return foreignModel(
    {
      inputs: Object.fromEntries(inputs),
      outputs: Object.fromEntries(Object.entries(outputs).map(([name, dtype]) => [name, { dtype }])),
      nodes,
      initializers: stored,
    },
    { opset },
  );
}

function expectSame(results: Record<string, TensorData>, expected: Record<string, TensorData>): void {
  expect(Object.keys(results)).toEqual(Object.keys(expected));
  for (const [name, want] of Object.entries(expected)) {
    const got = results[name];
    expect({ dtype: got?.dtype, shape: got?.shape }).toEqual({ dtype: want.dtype, shape: want.shape });
    const values = got ? toNumbers(got) : [];
    for (const [i, value] of toNumbers(want).entries()) expect(values[i]).toBeCloseTo(value, 5);
  }
}

/** Attention in its operator's forms, written out where a target has none. */
const attentionForms: Readonly<Record<string, Form>> = {
  'causal, default scale': one('Attention', 23, [floats(1, 2, 3, 4), floats(1, 2, 3, 4), floats(1, 2, 3, 4)], {
    attributes: { is_causal: 1 },
  }),
  'grouped heads, additive mask': one(
    'Attention',
    23,
    [floats(2, 4, 3, 4), floats(2, 2, 5, 4), positive(2, 2, 5, 4), floats(3, 5)],
    { attributes: { scale: { float: 0.7 } } },
  ),
  'causal, and a mask of bools': one(
    'Attention',
    23,
    [
      floats(1, 1, 3, 2),
      floats(1, 1, 3, 2),
      floats(1, 1, 3, 2),
      tensorData('bool', [3, 3], [1, 1, 1, 1, 0, 1, 0, 1, 1]),
    ],
    { attributes: { is_causal: 1 } },
  ),
  'with keys and values of before': {
    opset: 23,
    feeds: {
      q: floats(1, 2, 1, 4),
      k: floats(1, 2, 1, 4),
      v: floats(1, 2, 1, 4),
      pk: floats(1, 2, 3, 4),
      pv: positive(1, 2, 3, 4),
    },
    nodes: [node('Attention', ['q', 'k', 'v', '', 'pk', 'pv'], ['y', 'keys', 'values'])],
    outputs: { y: 'float32', keys: 'float32', values: 'float32' },
  },
};

describe('attention is imported for any target:', () => {
  test.each(Object.entries(attentionForms))('%s', async (_, form) => {
    const model = modelOf(form);
    const expected = await runModel(model, form.feeds);
    for (const target of ['cpu', 'cuda', 'reference'] as const)
      expectSame((await importAndRun(model, form.feeds, { target })).results, expected);
  });
});

describe('an imported model computes what ONNX Runtime does with', () => {
  test.each(Object.entries(forms))('%s', async (_, form) => {
    const model = modelOf(form);
    const { results } = await importAndRun(model, form.feeds);
    expectSame(results, await runModel(model, form.feeds));
  });

  test.each(Object.entries(ancient))('%s', async (_, [old, today]) => {
    const { results } = await importAndRun(modelOf(old), old.feeds);
    expectSame(results, await runModel(modelOf(today), today.feeds));
  });
});
