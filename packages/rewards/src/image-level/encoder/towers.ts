/**
 * The two towers of CLIP (Radford et al. 2021) and of SigLIP (Zhai et al. 2023): stacks of pre-norm blocks with learned positions. They
 * differ in where the embedding is taken (CLIP: the class token, and the end of the text, which it reads causally; SigLIP: pooling by
 * attention, and the last place of a padded text that is read in both directions) and in what projects it. For looking only: no gradient.
 *
 * Source: modeling_clip.py and modeling_siglip.py of transformers 5.18, whose names the tensors have.
 */
import type { Modules } from '@gvu/models';
import {
  add,
  cachedAttention,
  causalMask,
  concat,
  conv,
  gather,
  gelu,
  gemm,
  layerNorm,
  mul,
  reshape,
  scope,
  sigmoid,
  slice,
  split,
  type Tensor,
  transpose,
} from '@gvu/onnx';
import type { Activation, EncoderConfig, StackConfig } from './config.ts';

/** `ids` [1, length] and the place of the end, [1], to the text's embedding [1, width], not normalised. */
export function textTower(modules: Modules, config: EncoderConfig, { ids, end }: { ids: Tensor; end: Tensor }): Tensor {
  const { text, family } = config;
  const { graph } = modules;
  const at = 'text_model.embeddings';
  const words = gather(
    modules.weight(`${at}.token_embedding.weight`, [text.vocabulary, text.width]),
    reshape(ids, [text.length]),
  );
  const hidden = add(words, modules.weight(`${at}.position_embedding.weight`, [text.length, text.width]));
  const mask = family === 'clip' ? causalMask(graph, 'float32', text.length) : undefined;
  const read = norm(modules, stack(modules, hidden, { name: 'text_model', config: text, mask }), {
    name: 'text_model.final_layer_norm',
    config: text,
  });
  if (family === 'siglip') {
    const last = slice(read, 0, { start: text.length - 1, end: text.length });
    return modules.linear('text_model.head', last, { out: config.width, bias: true });
  }
  return modules.linear('text_projection', gather(read, end), { out: config.width });
}

/** Normalised pixels [1, 3, side, side] to the picture's embedding [1, width], not normalised. */
export function visionTower(modules: Modules, config: EncoderConfig, pixels: Tensor): Tensor {
  const { vision, family } = config;
  const { width, side, patch } = vision;
  const count = Math.floor(side / patch) ** 2;
  const at = 'vision_model.embeddings';
  const patches = conv(pixels, modules.weight(`${at}.patch_embedding.weight`, [width, 3, patch, patch]), {
    stride: patch,
    ...(family === 'siglip' && { bias: modules.weight(`${at}.patch_embedding.bias`, [width]) }),
  });
  const rows = transpose(reshape(patches, [width, count]), [1, 0]);
  if (family === 'siglip') {
    const hidden = add(rows, modules.weight(`${at}.position_embedding.weight`, [count, width]));
    const seen = stack(modules, hidden, { name: 'vision_model', config: vision });
    return pooled(modules, vision, norm(modules, seen, { name: 'vision_model.post_layernorm', config: vision }));
  }
  const whole = concat([reshape(modules.weight(`${at}.class_embedding`, [width]), [1, width]), rows], 0);
  const hidden = add(whole, modules.weight(`${at}.position_embedding.weight`, [count + 1, width]));
  // The name is misspelt in the checkpoints.
  const normal = norm(modules, hidden, { name: 'vision_model.pre_layrnorm', config: vision });
  const seen = stack(modules, normal, { name: 'vision_model', config: vision });
  const first = norm(modules, slice(seen, 0, { start: 0, end: 1 }), {
    name: 'vision_model.post_layernorm',
    config: vision,
  });
  return modules.linear('visual_projection', first, { out: config.width });
}

/** SigLIP's head: a learned query attends to all patches [N, width]; the result [1, width] goes through one more feed-forward. */
function pooled(modules: Modules, config: StackConfig, seen: Tensor): Tensor {
  const { width, heads } = config;
  const name = 'vision_model.head';
  const weights = split(modules.weight(`${name}.attention.in_proj_weight`, [3 * width, width]), 0, [
    width,
    width,
    width,
  ]);
  const biases = split(modules.weight(`${name}.attention.in_proj_bias`, [3 * width]), 0, [width, width, width]);
  const probe = reshape(modules.weight(`${name}.probe`, [1, 1, width]), [1, width]);
  const [q = probe, k = probe, v = probe] = [probe, seen, seen].map((x, i) =>
    inHeads(gemm(x, weights[i] ?? x, { transB: true, addend: biases[i] }), heads),
  );
  const attended = fromHeads(cachedAttention(q, { k, v }).y);
  const hidden = modules.linear(`${name}.attention.out_proj`, attended, { out: width, bias: true });
  return feedForward(modules, norm(modules, hidden, { name: `${name}.layernorm`, config }), {
    name,
    config,
    addend: hidden,
  });
}

interface Part {
  readonly name: string;
  readonly config: StackConfig;
}

/** Rows [N, width] through all blocks. */
function stack(modules: Modules, rows: Tensor, { name, config, mask }: Part & { mask?: Tensor | undefined }): Tensor {
  let hidden = rows;
  for (let i = 0; i < config.blocks; i++) {
    const at = `${name}.encoder.layers.${i}`;
    hidden = scope(modules.graph, at, () => block(modules, hidden, { name: at, config, mask }));
  }
  return hidden;
}

function block(modules: Modules, hidden: Tensor, { name, config, mask }: Part & { mask: Tensor | undefined }): Tensor {
  const { width, heads } = config;
  const normal = norm(modules, hidden, { name: `${name}.layer_norm1`, config });
  const [q = normal, k = normal, v = normal] = ['q', 'k', 'v'].map((part) =>
    inHeads(modules.linear(`${name}.self_attn.${part}_proj`, normal, { out: width, bias: true }), heads),
  );
  const attended = fromHeads(cachedAttention(q, { k, v }, { mask }).y);
  const middle = modules.linear(`${name}.self_attn.out_proj`, attended, { out: width, bias: true, addend: hidden });
  return feedForward(modules, norm(modules, middle, { name: `${name}.layer_norm2`, config }), {
    name,
    config,
    addend: middle,
  });
}

function feedForward(modules: Modules, x: Tensor, { name, config, addend }: Part & { addend: Tensor }): Tensor {
  const inner = modules.linear(`${name}.mlp.fc1`, x, { out: config.feedForward, bias: true });
  return modules.linear(`${name}.mlp.fc2`, activate(inner, config.activation), {
    out: config.width,
    bias: true,
    addend,
  });
}

function activate(x: Tensor, activation: Activation): Tensor {
  switch (activation) {
    case 'quick_gelu':
      return mul(x, sigmoid(mul(x, 1.702)));
    case 'gelu':
      return gelu(x);
    case 'gelu_pytorch_tanh':
      return gelu(x, 'tanh');
  }
}

function norm({ weight }: Modules, x: Tensor, { name, config: { width, epsilon } }: Part): Tensor {
  return layerNorm(x, { scale: weight(`${name}.weight`, [width]), bias: weight(`${name}.bias`, [width]), epsilon });
}

/** [N, width] to [1, heads, N, width / heads]. */
function inHeads(x: Tensor, heads: number): Tensor {
  const [rows = 0, width = 0] = x.shape;
  return transpose(reshape(x, [1, rows, heads, width / heads]), [0, 2, 1, 3]);
}

function fromHeads(x: Tensor): Tensor {
  const [, heads = 0, rows = 0, width = 0] = x.shape;
  return reshape(transpose(x, [0, 2, 1, 3]), [rows, heads * width]);
}
