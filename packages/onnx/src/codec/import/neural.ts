/** Import rules of the fused operators of neural networks: norms, convolutions, pooling, resizing, positions, attention. */
import { dtypes } from '../../dtype.ts';
import { constant, type Tensor } from '../../graph/graph.ts';
import { add, where } from '../../ops/arithmetic.ts';
import { attention, causalMask } from '../../ops/attention.ts';
import { repeatInterleave } from '../../ops/movement.ts';
import { batchNorm, groupNorm, layerNorm, rmsNorm } from '../../ops/norms.ts';
import type { ImportNode, ImportRule } from './node.ts';

/** What a window over the spatial axes looks like, with everything that the node leaves to defaults. */
interface Window {
  kernel_shape: readonly number[];
  strides: readonly number[];
  pads: readonly number[];
  dilations: readonly number[];
}

function windowOf(node: ImportNode, spatial: readonly number[], kernel?: readonly number[]): Window {
  const kernel_shape = node.ints('kernel_shape') ?? kernel ?? node.refuse('it has no kernel');
  const strides = node.ints('strides') ?? spatial.map(() => 1);
  const dilations = node.ints('dilations') ?? spatial.map(() => 1);
  const pads = node.ints('pads') ?? [...spatial, ...spatial].map(() => 0);
  const autoPad = node.string('auto_pad', 'NOTSET');
  if (autoPad === 'NOTSET') return { kernel_shape, strides, pads, dilations };
  const totals = spatial.map((length, i) => {
    const [kernelLength = 1, stride = 1, dilation = 1] = [kernel_shape[i], strides[i], dilations[i]];
    const reach = (kernelLength - 1) * dilation + 1;
    return autoPad === 'VALID' ? 0 : Math.max((Math.ceil(length / stride) - 1) * stride + reach - length, 0);
  });
  return { kernel_shape, strides, pads: sharePads(totals, autoPad), dilations };
}

/** Begins of all axes, then ends; where the total is odd, the side that the mode names gets one more. */
function sharePads(totals: readonly number[], autoPad: string): readonly number[] {
  const begins = totals.map((total) => (autoPad === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2)));
  return [...begins, ...totals.map((total, i) => total - (begins[i] ?? 0))];
}

const convRule: ImportRule = (node) => {
  const [x, w, bias] = [node.operand(0), node.operand(1), node.inputs[2]];
  const attributes = { ...windowOf(node, x.shape.slice(2), w.shape.slice(2)), group: node.int('group', 1) };
  return node.emit('Conv', bias ? [x, w, bias] : [x, w], attributes);
};

/** `output_shape`, or `auto_pad`, leaves the pads to be worked out. */
const convTransposeRule: ImportRule = (node) => {
  const [x, w, bias] = [node.operand(0), node.operand(1), node.inputs[2]];
  const spatial = node.knownShape(x).slice(2);
  const autoPad = node.string('auto_pad', 'NOTSET');
  const output_padding = node.ints('output_padding') ?? spatial.map(() => 0);
  const kernel_shape = node.ints('kernel_shape') ?? w.shape.slice(2);
  const strides = node.ints('strides') ?? spatial.map(() => 1);
  const dilations = node.ints('dilations') ?? spatial.map(() => 1);
  const lengths =
    node.ints('output_shape')?.slice(-spatial.length) ??
    (autoPad.startsWith('SAME') ? spatial.map((length, i) => length * (strides[i] ?? 1)) : undefined);
  const totals = lengths?.map((length, i) => {
    const reach = ((kernel_shape[i] ?? 1) - 1) * (dilations[i] ?? 1) + 1;
    return ((spatial[i] ?? 1) - 1) * (strides[i] ?? 1) + reach + (output_padding[i] ?? 0) - length;
  });
  if (totals?.some((total) => total < 0)) node.refuse('its output is longer than its input reaches');
  const pads = totals ? sharePads(totals, autoPad) : (node.ints('pads') ?? [...spatial, ...spatial].map(() => 0));
  const attributes = { kernel_shape, strides, pads, dilations, output_padding, group: node.int('group', 1) };
  return node.emit('ConvTranspose', bias ? [x, w, bias] : [x, w], attributes);
};

/** Rounding lengths up instead of down is the same when nothing is left over. */
function checkCeiling(node: ImportNode, window: Window): void {
  if (!node.flag('ceil_mode', 0)) return;
  const spatial = node.knownShape(node.operand(0)).slice(2);
  const isWhole = spatial.every((length, i) => {
    const reach = ((window.kernel_shape[i] ?? 1) - 1) * (window.dilations[i] ?? 1) + 1;
    const padded = length + (window.pads[i] ?? 0) + (window.pads[i + spatial.length] ?? 0);
    return (padded - reach) % (window.strides[i] ?? 1) === 0;
  });
  if (!isWhole) node.refuse('windows that stick out at the end are not supported');
}

const averagePoolRule: ImportRule = (node) => {
  const { dilations, ...window } = windowOf(node, node.operand(0).shape.slice(2));
  checkCeiling(node, { dilations, ...window });
  if (dilations.some((dilation) => dilation !== 1)) node.refuse('dilated averages are not supported');
  return node.emit('AveragePool', [node.operand(0)], {
    ...window,
    count_include_pad: node.flag('count_include_pad', 0),
  });
};

const maxPoolRule: ImportRule = (node) => {
  const window = windowOf(node, node.operand(0).shape.slice(2));
  checkCeiling(node, window);
  if (node.flag('storage_order', 0)) node.refuse('indices by column are not supported');
  return node.emit('MaxPool', [node.operand(0)], { ...window });
};

function globalPool(op: 'ReduceMean' | 'ReduceMax'): ImportRule {
  return (node) => {
    const spatial = [...node.operand(0).shape.keys()].slice(2);
    return node.emit(op, [node.operand(0), node.list(spatial)], { keepdims: 1 });
  };
}

/** Sizes, or scales (an operand, or an attribute in the Upsample of old). */
function resizedShape(
  node: ImportNode,
  shape: readonly number[],
  operands: { scales: number; sizes?: number },
): readonly number[] {
  const sizes = operands.sizes === undefined ? undefined : node.knownValues(operands.sizes);
  const scales = node.floats('scales') ?? node.knownValues(operands.scales);
  const axes = node.ints('axes')?.map((axis) => node.axis(axis, shape.length)) ?? [...shape.keys()];
  if (!sizes?.length && !scales?.length) return node.refuse('it has neither sizes nor scales');
  // Sampling points follow the scale asked for; of a size only the scale that it makes is known.
  const lengthOf = (i: number, dim: number) => {
    const length = dim * (scales?.[i] ?? Number.NaN);
    if (sizes?.length) return sizes[i] ?? dim;
    return Math.abs(length - Math.round(length)) < 1e-4
      ? Math.round(length)
      : node.refuse(`a length of ${dim} cannot be scaled to ${length}`);
  };
  return shape.map((dim, axis) => (axes.includes(axis) ? lengthOf(axes.indexOf(axis), dim) : dim));
}

/** The ways of asking for nearest neighbours that, at whole factors, all mean to repeat each element. */
const repeats: readonly string[] = [
  'asymmetric/floor',
  'half_pixel/round_prefer_floor',
  'half_pixel/round_prefer_ceil',
  'pytorch_half_pixel/round_prefer_floor',
];

function resizeTo(
  node: ImportNode,
  sizes: readonly number[],
  how: { mode: string; coordinates: string; nearest: string },
) {
  const x = node.operand(0);
  const { mode, coordinates, nearest } = how;
  if (sizes.some((size) => !(size >= 1))) node.refuse(`[${sizes.join(', ')}] are no sizes`);
  const isWhole = sizes.every((size, axis) => size % (x.shape[axis] ?? 1) === 0);
  const isRepeat = nearest === 'floor' && coordinates === 'asymmetric';
  if (mode === 'nearest' && !isRepeat && !(isWhole && repeats.includes(`${coordinates}/${nearest}`)))
    return node.refuse(`nearest neighbours by ${coordinates} and ${nearest} are not supported`);
  if (mode !== 'nearest' && mode !== 'linear') return node.refuse(`the mode '${mode}' is not supported`);
  return node.emit('Resize', [x, undefined, undefined, node.list(sizes)], {
    mode,
    coordinate_transformation_mode: mode === 'nearest' ? 'asymmetric' : coordinates,
    nearest_mode: 'floor',
  });
}

const resizeRule: ImportRule = (node) => {
  const shape = node.knownShape(node.operand(0));
  const isOld = node.opset < 11;
  node.ignore('cubic_coeff_a', 'extrapolation_value');
  if (node.flag('antialias', 0)) node.refuse('antialiasing is not supported');
  if (node.string('keep_aspect_ratio_policy', 'stretch') !== 'stretch') node.refuse('it keeps an aspect ratio');
  if (node.flag('exclude_outside', 0)) node.refuse('leaving out what lies outside is not supported');
  const coordinates = node.string('coordinate_transformation_mode', isOld ? 'asymmetric' : 'half_pixel');
  if (coordinates === 'tf_crop_and_resize') node.refuse('cropping while resizing is not supported');
  return resizeTo(node, resizedShape(node, shape, isOld ? { scales: 1 } : { scales: 2, sizes: 3 }), {
    mode: node.string('mode', 'nearest'),
    coordinates,
    nearest: node.string('nearest_mode', isOld ? 'floor' : 'round_prefer_floor'),
  });
};

const upsampleRule: ImportRule = (node) => {
  const sizes = resizedShape(node, node.knownShape(node.operand(0)), { scales: 1 });
  return resizeTo(node, sizes, { mode: node.string('mode', 'nearest'), coordinates: 'asymmetric', nearest: 'floor' });
};

/** Hides a key where two masks add up, in float16 too. */
const HIDDEN = -30_000;

/** The last axis, or several last axes taken as one. */
const layerNormRule: ImportRule = (node) => {
  const [x, scale, bias] = [node.operand(0), node.operand(1), node.inputs[2]];
  const axis = node.axis(node.int('axis', -1), x.shape.length);
  const epsilon = node.float('epsilon', 1e-5);
  const stash_type = node.int('stash_type', dtypes.float32.onnx);
  if (axis === x.shape.length - 1)
    return node.emit('LayerNormalization', bias ? [x, scale, bias] : [x, scale], {
      axis: -1,
      epsilon: { float: epsilon },
      stash_type,
    });
  return node.compose(() => layerNorm(x, { scale, bias, epsilon, axes: x.shape.length - axis }));
};

const rmsNormRule: ImportRule = (node) => {
  const [x, scale] = [node.operand(0), node.operand(1)];
  const axis = node.axis(node.int('axis', -1), x.shape.length);
  const epsilon = node.float('epsilon', 1e-5);
  const stash_type = node.int('stash_type', dtypes.float32.onnx);
  if (axis !== x.shape.length - 1) node.refuse('norms over several axes are not supported');
  if (node.graph.target === 'reference') return node.compose(() => rmsNorm(x, scale, epsilon));
  return node.emit('SimplifiedLayerNormalization', [x, scale], { axis: -1, epsilon: { float: epsilon }, stash_type });
};

const batchNormRule: ImportRule = (node) => {
  node.ignore('momentum', 'spatial', 'is_test');
  if (node.flag('training_mode', 0)) node.refuse('batch statistics are not supported');
  const [x, scale, bias, mean, variance] = [0, 1, 2, 3, 4].map((i) => node.operand(i));
  if (!x || !mean || !variance) return node.refuse('an operand is missing');
  return node.compose(() => batchNorm(x, { scale, bias, mean, variance, epsilon: node.float('epsilon', 1e-5) }));
};

const groupNormRule: ImportRule = (node) => {
  node.ignore('stash_type');
  const x = node.operand(0);
  const groups = node.int('num_groups', 1);
  const channels = node.knownShape(x)[1] ?? 0;
  // Up to operator set 20 there is one scale for a group.
  const perChannel = (tensor: Tensor) =>
    tensor.shape[0] === channels ? tensor : repeatInterleave(tensor, 0, channels / groups);
  return node.compose(() => {
    const [scale, bias] = [perChannel(node.operand(1)), perChannel(node.operand(2))];
    return groupNorm(x, groups, { scale, bias, epsilon: node.float('epsilon', 1e-5) });
  });
};

const instanceNormRule: ImportRule = (node) => {
  const [x, scale, bias] = [node.operand(0), node.operand(1), node.operand(2)];
  const channels = node.knownShape(x)[1] ?? 0;
  return node.compose(() => groupNorm(x, channels, { scale, bias, epsilon: node.float('epsilon', 1e-5) }));
};

/** The operator where the graph has it, else its definition. */
const attentionRule: ImportRule = (node) => {
  node.ignore('softmax_precision');
  if (node.inputs.length > 6) node.refuse('lengths of padded keys are not supported');
  if (node.int('q_num_heads', 0) || node.int('kv_num_heads', 0))
    node.refuse('heads inside the last axis are not supported');
  if (node.float('softcap', 0) || node.int('qk_matmul_output_mode', 0)) node.refuse('soft caps are not supported');
  const q = node.operand(0);
  const scale = node.float('scale', 1 / Math.sqrt(q.shape.at(-1) ?? 1));
  const is_causal = node.flag('is_causal', 0);
  if (node.graph.opset >= 23) return node.emit('Attention', node.inputs, { scale: { float: scale }, is_causal });

  const [mask, pastK, pastV] = node.inputs.slice(3);
  const grown = (past: Tensor | undefined, added: Tensor) =>
    past ? node.step('Concat', [past, added], { axis: 2 }) : added;
  const [k, v] = [grown(pastK, node.operand(1)), grown(pastV, node.operand(2))];
  const [length = 0, keys = 0] = [q.shape[2], k.shape[2]];
  if (is_causal && (pastK || length !== keys)) node.refuse('causality beyond the new tokens is not supported');
  const [y] = node.compose(() => {
    const causal = is_causal ? causalMask(node.graph, q.dtype, length) : undefined;
    const given = causal && mask?.dtype === 'bool' ? where(mask, 0, constant(node.graph, q.dtype, [], [HIDDEN])) : mask;
    return attention(q, k, v, { mask: causal && given ? add(causal, given) : (causal ?? given), scale });
  });
  return [y, k, v];
};

const rotaryRule: ImportRule = (node) => {
  const [x, positions, cos, sin] = [node.operand(0), node.operand(1), node.operand(2), node.operand(3)];
  if (node.float('scale', 1) !== 1 || node.flag('is_packed_batching', 0))
    node.refuse('scales and packing are not supported');
  const rotary_embedding_dim = node.int('rotary_embedding_dim', 0);
  const num_heads = node.int('num_heads', 0);
  return node.emit('RotaryEmbedding', [x, positions, cos, sin], {
    interleaved: node.flag('interleaved', 0),
    ...(rotary_embedding_dim ? { rotary_embedding_dim } : {}),
    ...(num_heads ? { num_heads } : {}),
  });
};

export const neuralImports: Readonly<Record<string, ImportRule>> = {
  Conv: convRule,
  ConvTranspose: convTransposeRule,
  AveragePool: averagePoolRule,
  MaxPool: maxPoolRule,
  GlobalAveragePool: globalPool('ReduceMean'),
  GlobalMaxPool: globalPool('ReduceMax'),
  Resize: resizeRule,
  Upsample: upsampleRule,
  LayerNormalization: layerNormRule,
  SimplifiedLayerNormalization: rmsNormRule,
  RMSNormalization: rmsNormRule,
  BatchNormalization: batchNormRule,
  GroupNormalization: groupNormRule,
  InstanceNormalization: instanceNormRule,
  Attention: attentionRule,
};

/** Those of ONNX Runtime's own domain. */
export const neuralContribImports: Readonly<Record<string, ImportRule>> = {
  RotaryEmbedding: rotaryRule,
};
