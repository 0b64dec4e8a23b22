/** Fused operators of neural networks: norms, convolutions, pooling, resizing, rotary embeddings, attention. */
import { dtypes } from '../../dtype.ts';
import { DYNAMIC, type FloatAttribute } from '../graph.ts';
import { type Inference, sameShape, spec } from './spec.ts';

type Flag = 0 | 1;
type Ints = readonly number[];

export interface WindowAttributes {
  kernel_shape: Ints;
  strides: Ints;
  /** Begins of all spatial axes, then ends. */
  pads: Ints;
  dilations: Ints;
}

/** Output lengths of a sliding window over the spatial axes of x [N, C, ...spatial]. */
function windows(node: Inference<Omit<WindowAttributes, 'dilations'> & { dilations?: Ints }>, spatial: Ints): Ints {
  const { kernel_shape, strides, pads, dilations = kernel_shape.map(() => 1) } = node.attributes;
  const rank = spatial.length;
  if (kernel_shape.length !== rank || strides.length !== rank || dilations.length !== rank || pads.length !== 2 * rank)
    node.refuse(`kernel, strides, dilations and pads must be of ${rank} axes`);
  return spatial.map((length, i) => {
    if (length === DYNAMIC) return DYNAMIC;
    const reach = ((kernel_shape[i] ?? 1) - 1) * (dilations[i] ?? 1) + 1;
    const padded = length + (pads[i] ?? 0) + (pads[i + rank] ?? 0);
    if (reach > padded) node.refuse(`a window of ${reach} does not fit ${padded} on spatial axis ${i}`);
    return Math.floor((padded - reach) / (strides[i] ?? 1)) + 1;
  });
}

function lastAxisScale(node: Inference<object>, index: number): void {
  const { shape } = node.operand(0);
  if (!sameShape(node.operand(index).shape, shape.slice(-1)))
    node.refuse(`operand ${index} must have the length of the last axis`);
}

const pool = (node: Parameters<typeof windows>[0]) => {
  const { dtype, shape } = node.operand(0);
  return { dtype, shape: [...shape.slice(0, 2), ...windows(node, shape.slice(2))] };
};

export const neural = {
  /** RMSNorm over the last axis. Operands: x, scale. Outputs: y, and 1 / rms [.., 1]. */
  SimplifiedLayerNormalization: spec<{ axis: -1; epsilon: FloatAttribute; stash_type: number }>(2, (node) => {
    lastAxisScale(node, 1);
    const { shape } = node.operand(0);
    const dtype = node.floatDtype();
    const stash = node.attributes.stash_type === dtypes.float64.onnx ? 'float64' : 'float32';
    return [
      { dtype, shape },
      { dtype: stash, shape: shape.with(-1, 1) },
    ];
  }),
  /** Operands: x, scale, bias (may be absent). Outputs: y, mean and 1 / standard deviation [.., 1]. */
  LayerNormalization: spec<{ axis: -1; epsilon: FloatAttribute; stash_type: number }>([2, 3], (node) => {
    lastAxisScale(node, 1);
    if (node.inputs[2]) lastAxisScale(node, 2);
    const { shape } = node.operand(0);
    const dtype = node.floatDtype();
    const stash = node.attributes.stash_type === dtypes.float64.onnx ? 'float64' : 'float32';
    const statistics = { dtype: stash, shape: shape.with(-1, 1) } as const;
    return [{ dtype, shape }, statistics, statistics];
  }),
  /** Operands: x [N, C, ...spatial], weight [M, C/group, ...kernel], bias [M]. */
  Conv: spec<WindowAttributes & { group: number }>([2, 3], (node) => {
    const [x, w] = [node.operand(0).shape, node.operand(1).shape];
    const [channels = 0, filters = 0, perGroup = 0] = [x[1], w[0], w[1]];
    const { group } = node.attributes;
    if (x.length !== w.length || channels !== perGroup * group || filters % group !== 0)
      node.refuse(`the filter does not fit ${channels} channels in ${group} groups`);
    if (!sameShape(w.slice(2), node.attributes.kernel_shape)) node.refuse('kernel_shape is not the filter’s');
    if (node.inputs[2] && !sameShape(node.inputs[2].shape, [filters])) node.refuse(`the bias must be [${filters}]`);
    return [{ dtype: node.floatDtype(), shape: [x[0] ?? 0, filters, ...windows(node, x.slice(2))] }];
  }),
  /** Operands: x [N, C, ...spatial], weight [C, M/group, ...kernel], bias [M]. */
  ConvTranspose: spec<WindowAttributes & { group: number; output_padding: Ints }>([2, 3], (node) => {
    const [x, w] = [node.operand(0).shape, node.operand(1).shape];
    const { group, strides, pads, dilations, output_padding, kernel_shape } = node.attributes;
    const rank = x.length - 2;
    if (x.length !== w.length || x[1] !== w[0] || (w[0] ?? 0) % group !== 0)
      node.refuse('the filter does not fit the channels');
    if (!sameShape(w.slice(2), kernel_shape)) node.refuse('kernel_shape is not the filter’s');
    if (w.includes(DYNAMIC)) node.refuse('the filter changes in length');
    const spatial = x.slice(2).map((length, i) => {
      if (length === DYNAMIC) return DYNAMIC;
      const reach = ((kernel_shape[i] ?? 1) - 1) * (dilations[i] ?? 1) + 1;
      const cut = (pads[i] ?? 0) + (pads[i + rank] ?? 0);
      const result = (length - 1) * (strides[i] ?? 1) + reach - cut + (output_padding[i] ?? 0);
      return result < 0 ? node.refuse(`pads take more than spatial axis ${i} has`) : result;
    });
    return [{ dtype: node.floatDtype(), shape: [x[0] ?? 0, (w[1] ?? 0) * group, ...spatial] }];
  }),
  /** Without dilations, which it takes only from operator set 19. */
  AveragePool: spec<Omit<WindowAttributes, 'dilations'> & { count_include_pad: Flag }>(1, (node) => [pool(node)]),
  /** Outputs: the maxima, and their flat indices into x. */
  MaxPool: spec<WindowAttributes>(1, (node) => {
    const { dtype, shape } = pool(node);
    return [
      { dtype, shape },
      { dtype: 'int64', shape },
    ];
  }),
  /** Operands: x, none, none, sizes (constant). */
  Resize: spec<{ mode: 'nearest' | 'linear'; coordinate_transformation_mode: string; nearest_mode: 'floor' }>(
    4,
    (node) => {
      const sizes = node.ints(3);
      if (sizes.length !== node.operand(0).shape.length) node.refuse('sizes must name every axis');
      return [{ dtype: node.operand(0).dtype, shape: sizes }];
    },
  ),
  /**
   * Operands: x [B, H, T, D] or [B, T, H * D], position ids [B, T], cosines and sines [positions, R / 2] for the first R of D
   * dimensions. Where R is less than D, `num_heads` and `rotary_embedding_dim` = R are needed. Sequences are no longer than the tables.
   */
  RotaryEmbedding: spec<{ interleaved: Flag; rotary_embedding_dim?: number; num_heads?: number }>(
    4,
    (node) => {
      const { shape } = node.operand(0);
      const [cos, sin] = [node.operand(2).shape, node.operand(3).shape];
      const { num_heads, rotary_embedding_dim } = node.attributes;
      const [positions = 0, half = 0] = cos;
      if (cos.length !== 2 || !sameShape(cos, sin)) node.refuse('the tables must be matrices of one shape');
      if (shape.length !== 3 && shape.length !== 4) node.refuse('x must be [B, H, T, D] or [B, T, H * D]');
      const [length = 0, last = 0] = shape.length === 4 ? shape.slice(2) : shape.slice(1);
      const width = shape.length === 4 ? last : num_heads ? last / num_heads : 2 * half;
      const rotated = rotary_embedding_dim ?? width;
      if (rotated !== 2 * half || rotated > width || last % width !== 0)
        node.refuse(`tables of ${half} pairs do not rotate heads of ${width}`);
      if (rotated < width && !num_heads) node.refuse('rotating a part of a head takes num_heads');
      node.requireDtype(1, 'int64');
      if (!sameShape(node.operand(1).shape, [shape[0] ?? 0, length])) node.refuse('position ids must be [B, T]');
      if (length > positions) node.refuse(`the tables end before position ${length}`);
      return [{ dtype: node.floatDtype([node.operand(0), node.operand(2), node.operand(3)]), shape }];
    },
    'com.microsoft',
  ),
  /**
   * Scaled dot-product attention with a cache (operator set 23). Operands: q [B, H, T, D], k and v [B, Hkv, T, D], additive or
   * bool mask, past k and v [B, Hkv, P, D]. Outputs: y [B, H, T, D], present k and v [B, Hkv, P + T, D].
   */
  Attention: spec<{ scale: FloatAttribute; is_causal: Flag }>([3, 6], (node) => {
    if (node.opset < 23) node.refuse(`the operator exists from operator set 23, the graph uses ${node.opset}`);
    const [q, k, v] = [node.operand(0), node.operand(1), node.operand(2)];
    if (q.shape.length !== 4 || k.shape.length !== 4 || v.shape.length !== 4)
      node.refuse('q, k and v must be [B, H, T, D]');
    if ((q.shape[1] ?? 0) % (k.shape[1] ?? 1) !== 0) node.refuse('query heads must be a multiple of key heads');
    const dtype = node.floatDtype([q, k, v]);
    const y = { dtype, shape: [...q.shape.slice(0, 3), v.shape[3] ?? 0] };
    const [mask, past] = node.inputs.slice(3);
    const grown = (tensor: Ints) => {
      const [before = 0, added = 0] = [past?.shape[2] ?? 0, tensor[2]];
      return tensor.with(2, before === DYNAMIC || added === DYNAMIC ? DYNAMIC : before + added);
    };
    if (mask) {
      node.requireDtype(3, 'bool', dtype);
      const scores = [...q.shape.slice(0, 3), grown(k.shape)[2] ?? 0].slice(-mask.shape.length);
      // It broadcasts over batch and heads only.
      const fits = mask.shape.every(
        (dim, i) => dim === scores[i] || [dim, scores[i]].includes(DYNAMIC) || (dim === 1 && i < mask.shape.length - 2),
      );
      if (mask.shape.length < 2 || mask.shape.length > 4 || !fits)
        node.refuse(`the mask does not broadcast to [${[...q.shape.slice(0, 3), grown(k.shape)[2]].join(', ')}]`);
    }
    if (!past) return [y];
    return [y, { dtype, shape: grown(k.shape) }, { dtype, shape: grown(v.shape) }];
  }),
};
