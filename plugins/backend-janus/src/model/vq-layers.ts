/**
 * What the convolutional networks of the VQ-16 tokenizer are built of: residual blocks, one-head attention over all places, changes of
 * resolution, and the stages in the middle and at the end.
 *
 * Sources: LlamaGen's tokenizer (Sun et al. 2024), which is VQGAN's (Esser et al. 2021); modeling_janus.py of transformers 5.18,
 * whose names the tensors have.
 */
import type { Modules } from '@gvu/models';
import {
  add,
  cachedAttention,
  conv,
  type FlatEntry,
  groupNorm,
  reshape,
  resizeNearest,
  scope,
  silu,
  type Tensor,
  transpose,
} from '@gvu/onnx';
import { affineParameters, linearParameters } from './parameters.ts';

const groups = 32;
const epsilon = 1e-6;

/** x [N, C, H, W] by a square kernel of odd size: [N, out, H, W]. */
export function convolve(
  { graph, weight }: Modules,
  name: string,
  { x, out, kernel }: { x: Tensor; out: number; kernel: number },
): Tensor {
  const filters = weight(`${name}.weight`, [out, x.shape[1] ?? 0, kernel, kernel]);
  return scope(graph, name, () => conv(x, filters, { bias: weight(`${name}.bias`, [out]), pads: (kernel - 1) / 2 }));
}

function norm({ weight }: Modules, name: string, x: Tensor): Tensor {
  const channels = x.shape[1] ?? 0;
  return groupNorm(x, groups, {
    scale: weight(`${name}.weight`, [channels]),
    bias: weight(`${name}.bias`, [channels]),
    epsilon,
  });
}

/** Twice norm, SiLU and convolution, around which x passes: [N, out, H, W]. */
export function residual(modules: Modules, name: string, { x, out }: { x: Tensor; out: number }): Tensor {
  const inner = convolve(modules, `${name}.conv1`, { x: silu(norm(modules, `${name}.norm1`, x)), out, kernel: 3 });
  const y = convolve(modules, `${name}.conv2`, { x: silu(norm(modules, `${name}.norm2`, inner)), out, kernel: 3 });
  const passing = x.shape[1] === out ? x : convolve(modules, `${name}.nin_shortcut`, { x, out, kernel: 1 });
  return scope(modules.graph, name, () => add(passing, y));
}

/** Each place of x [N, C, H, W] attends to all places, by one head; added to x. */
export function attendPlaces(modules: Modules, name: string, x: Tensor): Tensor {
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const normal = norm(modules, `${name}.norm`, x);
  const places = (part: 'q' | 'k' | 'v') => {
    const y = convolve(modules, `${name}.${part}`, { x: normal, out: channels, kernel: 1 });
    return transpose(reshape(y, [batch, 1, channels, height * width]), [0, 1, 3, 2]);
  };
  const { y } = cachedAttention(places('q'), { k: places('k'), v: places('v') });
  const image = reshape(transpose(y, [0, 1, 3, 2]), x.shape);
  return add(x, convolve(modules, `${name}.proj_out`, { x: image, out: channels, kernel: 1 }));
}

/** The stage at the lowest resolution: residual block, attention, residual block. */
export function middle(modules: Modules, name: string, x: Tensor): Tensor {
  const out = x.shape[1] ?? 0;
  const first = residual(modules, `${name}.block_1`, { x, out });
  return residual(modules, `${name}.block_2`, { x: attendPlaces(modules, `${name}.attn_1`, first), out });
}

/** The last layer of a network: norm, SiLU and a convolution to `out` channels. */
export function finish(modules: Modules, name: string, { x, out }: { x: Tensor; out: number }): Tensor {
  const normal = silu(norm(modules, `${name}.norm_out`, x));
  return convolve(modules, `${name}.conv_out`, { x: normal, out, kernel: 3 });
}

/** [N, C, H, W] -> [N, C, 2 H, 2 W] */
export function upsample(modules: Modules, name: string, x: Tensor): Tensor {
  const [, out = 0, height = 0, width = 0] = x.shape;
  return convolve(modules, `${name}.conv`, { x: resizeNearest(x, [2 * height, 2 * width]), out, kernel: 3 });
}

/** Every tensor of a residual block. */
export function residualParameters(name: string, { from, out }: { from: number; out: number }): readonly FlatEntry[] {
  return [
    ...affineParameters(`${name}.norm1`, from),
    ...linearParameters(`${name}.conv1`, [out, from, 3, 3]),
    ...affineParameters(`${name}.norm2`, out),
    ...linearParameters(`${name}.conv2`, [out, out, 3, 3]),
    ...(from === out ? [] : linearParameters(`${name}.nin_shortcut`, [out, from, 1, 1])),
  ];
}

/** Every tensor of an attention over places. */
export function attendParameters(name: string, channels: number): readonly FlatEntry[] {
  return [
    ...affineParameters(`${name}.norm`, channels),
    ...['q', 'k', 'v', 'proj_out'].flatMap((part) => linearParameters(`${name}.${part}`, [channels, channels, 1, 1])),
  ];
}

/** Every tensor of the stage in the middle. */
export function middleParameters(name: string, channels: number): readonly FlatEntry[] {
  const block = { from: channels, out: channels };
  return [
    ...residualParameters(`${name}.block_1`, block),
    ...attendParameters(`${name}.attn_1`, channels),
    ...residualParameters(`${name}.block_2`, block),
  ];
}
