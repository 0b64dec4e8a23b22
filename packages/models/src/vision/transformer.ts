/**
 * A vision transformer as timm lays it out and names it: patches by a convolution, learned positions, pre-norm blocks of attention
 * with queries, keys and values in one product, and an erf-GELU feed-forward. No class token, no pooling. Positions are learned for one grid
 * and interpolated to the image's.
 *
 * Source: VisionTransformer of timm, and GlmImageVisionModel of transformers 5.18, which is the same network.
 */
import {
  add,
  attention,
  conv,
  type FlatEntry,
  gelu,
  layerNorm,
  reshape,
  resizeBilinear,
  scope,
  split,
  type Tensor,
  transpose,
} from '@gvu/onnx';
import type { Modules } from '../modules.ts';

export interface VisionTransformerConfig {
  readonly width: number;
  readonly blocks: number;
  readonly heads: number;
  readonly feedForward: number;
  /** Pixels of a patch's side. */
  readonly patch: number;
  /** Patches of a side of the square that the positions were learned for. */
  readonly grid: number;
  readonly epsilon: number;
}

/** Every tensor that the network reads. Positions are [1, grid², width]. */
export function visionParameters({
  width,
  blocks,
  feedForward,
  patch,
  grid,
}: VisionTransformerConfig): readonly FlatEntry[] {
  const pair = (name: string, shape: readonly number[]) => [
    { name: `${name}.weight`, shape },
    { name: `${name}.bias`, shape: shape.slice(0, 1) },
  ];
  return [
    ...pair('patch_embed.proj', [width, 3, patch, patch]),
    { name: 'pos_embed', shape: [1, grid ** 2, width] },
    ...Array.from({ length: blocks }, (_, i) => [
      ...pair(`blocks.${i}.norm1`, [width]),
      ...pair(`blocks.${i}.attn.qkv`, [3 * width, width]),
      ...pair(`blocks.${i}.attn.proj`, [width, width]),
      ...pair(`blocks.${i}.norm2`, [width]),
      ...pair(`blocks.${i}.mlp.fc1`, [feedForward, width]),
      ...pair(`blocks.${i}.mlp.fc2`, [width, feedForward]),
    ]).flat(),
  ];
}

/**
 * Normalised pixels [B, 3, H, W], whose sides are multiples of a patch, to features [B * h * w, width] behind the last block, without a
 * final norm.
 */
export function visionTransformer(modules: Modules, pixels: Tensor, config: VisionTransformerConfig): Tensor {
  const { graph, weight } = modules;
  const { width, blocks, patch } = config;
  const [batch = 0] = pixels.shape;
  const patches = conv(pixels, weight('patch_embed.proj.weight', [width, 3, patch, patch]), {
    stride: patch,
    bias: weight('patch_embed.proj.bias', [width]),
  });
  const [rows = 0, columns = 0] = patches.shape.slice(2);
  const count = rows * columns;
  const embedded = reshape(transpose(patches, [0, 2, 3, 1]), [batch, count, width]);
  let hidden = reshape(add(embedded, positions(modules, [rows, columns], config)), [batch * count, width]);
  for (let i = 0; i < blocks; i++)
    hidden = scope(graph, `blocks.${i}`, () => block(modules, hidden, { name: `blocks.${i}`, batch, config }));
  return hidden;
}

/** What each place of a grid adds to its patch: [1, h * w, width]. */
function positions({ weight }: Modules, size: readonly [number, number], config: VisionTransformerConfig): Tensor {
  const { grid, width } = config;
  const learned = reshape(weight('pos_embed', [1, grid ** 2, width]), [1, grid, grid, width]);
  const resized = resizeBilinear(transpose(learned, [0, 3, 1, 2]), size);
  return reshape(transpose(resized, [0, 2, 3, 1]), [1, size[0] * size[1], width]);
}

function block(
  modules: Modules,
  hidden: Tensor,
  { name, batch, config }: { name: string; batch: number; config: VisionTransformerConfig },
): Tensor {
  const { linear, weight } = modules;
  const { width, heads, feedForward, epsilon } = config;
  const [total = 0] = hidden.shape;
  const count = total / batch;
  const norm = (which: string) => {
    const [scale, bias] = ['weight', 'bias'].map((part) => weight(`${name}.${which}.${part}`, [width]));
    return (x: Tensor) => layerNorm(x, { scale, bias, epsilon });
  };
  const joined = linear(`${name}.attn.qkv`, norm('norm1')(hidden), { out: 3 * width, bias: true });
  const parts = split(joined, 1, [width, width, width]).map((part) =>
    transpose(reshape(part, [batch, count, heads, width / heads]), [0, 2, 1, 3]),
  );
  const [q = joined, k = joined, v = joined] = parts;
  const attended = reshape(transpose(attention(q, k, v), [0, 2, 1, 3]), [total, width]);
  const middle = linear(`${name}.attn.proj`, attended, { out: width, bias: true, addend: hidden });
  const inner = gelu(linear(`${name}.mlp.fc1`, norm('norm2')(middle), { out: feedForward, bias: true }));
  return linear(`${name}.mlp.fc2`, inner, { out: width, bias: true, addend: middle });
}
