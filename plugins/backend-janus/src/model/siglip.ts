/**
 * The understanding tower: a SigLIP vision transformer (Zhai et al. 2023) up to its final norm, without the pooling head, and the
 * aligner that turns its features into embeddings of the language model. Patches of a square image, learned positions, pre-norm
 * blocks, exact GELU. Only for looking: it has no gradient.
 *
 * Source: modeling_janus.py of transformers 5.18 (`JanusVisionModel`, `JanusVisionAlignerMLP`), whose names the tensors have.
 */
import type { Modules } from '@gvu/models';
import {
  add,
  cachedAttention,
  conv,
  type FlatEntry,
  gelu,
  layerNorm,
  reshape,
  type Tensor,
  transpose,
} from '@gvu/onnx';
import { type VisionConfig, visionTokens } from '../checkpoint/config.ts';
import { affineParameters, linearParameters } from './parameters.ts';
import { alignerParameters, alignRows } from './projectors.ts';

const tower = 'model.vision_model';
const aligner = 'model.aligner';

/** Features [B * N, width] of pixels [B, 3, side, side] that are normalised already. */
export function visionFeatures(modules: Modules, config: VisionConfig, pixels: Tensor): Tensor {
  const { width, patchSide, layers } = config;
  const [batch = 0] = pixels.shape;
  const tokens = visionTokens(config);
  const patches = conv(
    pixels,
    modules.weight(`${tower}.embeddings.patch_embedding.weight`, [width, 3, patchSide, patchSide]),
    { bias: modules.weight(`${tower}.embeddings.patch_embedding.bias`, [width]), stride: patchSide },
  );
  const positions = modules.weight(`${tower}.embeddings.position_embedding.weight`, [tokens, width]);
  const rows = transpose(reshape(patches, [batch, width, tokens]), [0, 2, 1]);
  let hidden = reshape(add(rows, positions), [batch * tokens, width]);
  for (let layer = 0; layer < layers; layer++) hidden = block(modules, config, { hidden, layer, batch });
  return norm(modules, config, { x: hidden, name: `${tower}.post_layernorm` });
}

/** Embeddings [N, decoderWidth] for the language model, of features [N, width]. */
export function alignFeatures(
  modules: Modules,
  features: Tensor,
  options: { layers: number; decoderWidth: number },
): Tensor {
  return alignRows(modules, aligner, { x: features, layers: options.layers, width: options.decoderWidth });
}

function block(
  modules: Modules,
  config: VisionConfig,
  { hidden, layer, batch }: { hidden: Tensor; layer: number; batch: number },
): Tensor {
  const { width, heads: count, feedForward, qkvBias } = config;
  const name = `${tower}.encoder.layers.${layer}`;
  const tokens = visionTokens(config);
  const normal = norm(modules, config, { x: hidden, name: `${name}.layer_norm1` });
  const heads = (part: 'q' | 'k' | 'v') => {
    const flat = modules.linear(`${name}.self_attn.${part}_proj`, normal, { out: width, bias: qkvBias });
    return transpose(reshape(flat, [batch, tokens, count, width / count]), [0, 2, 1, 3]);
  };
  const { y } = cachedAttention(heads('q'), { k: heads('k'), v: heads('v') });
  const attended = modules.linear(
    `${name}.self_attn.projection_layer`,
    reshape(transpose(y, [0, 2, 1, 3]), [batch * tokens, width]),
    { out: width, bias: true, addend: hidden },
  );
  const again = norm(modules, config, { x: attended, name: `${name}.layer_norm2` });
  const inner = gelu(modules.linear(`${name}.mlp.fc1`, again, { out: feedForward, bias: true }));
  return modules.linear(`${name}.mlp.fc2`, inner, { out: width, bias: true, addend: attended });
}

function norm({ weight }: Modules, { width, epsilon }: VisionConfig, { x, name }: { x: Tensor; name: string }): Tensor {
  return layerNorm(x, { scale: weight(`${name}.weight`, [width]), bias: weight(`${name}.bias`, [width]), epsilon });
}

/** Every tensor of the tower and of its aligner. */
export function visionParameters(
  config: VisionConfig,
  { decoderWidth }: { decoderWidth: number },
): readonly FlatEntry[] {
  const { width, feedForward, patchSide, qkvBias } = config;
  const blocks = Array.from({ length: config.layers }, (_, layer) => {
    const name = `${tower}.encoder.layers.${layer}`;
    return [
      ...affineParameters(`${name}.layer_norm1`, width),
      ...['q_proj', 'k_proj', 'v_proj'].flatMap((part) =>
        linearParameters(`${name}.self_attn.${part}`, [width, width], { bias: qkvBias }),
      ),
      ...linearParameters(`${name}.self_attn.projection_layer`, [width, width]),
      ...affineParameters(`${name}.layer_norm2`, width),
      ...linearParameters(`${name}.mlp.fc1`, [feedForward, width]),
      ...linearParameters(`${name}.mlp.fc2`, [width, feedForward]),
    ];
  });
  return [
    ...linearParameters(`${tower}.embeddings.patch_embedding`, [width, 3, patchSide, patchSide]),
    { name: `${tower}.embeddings.position_embedding.weight`, shape: [visionTokens(config), width] },
    ...blocks.flat(),
    ...affineParameters(`${tower}.post_layernorm`, width),
    ...alignerParameters(aligner, { from: width, width: decoderWidth, layers: config.alignerLayers }),
  ];
}
