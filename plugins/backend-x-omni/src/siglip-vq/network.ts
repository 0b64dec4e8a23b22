/**
 * SigLIP-VQ: from features of an image to codes, and from codes to the latents that the pixel decoder is conditioned on. A code is
 * chosen by its direction alone, while what is decoded is the codebook's row as it is.
 *
 * Source: VQConvProjector of X-Omni's release, read there; GlmImageVQVAE of transformers 5.18 has the same encoding half.
 */
import type { Modules } from '@gvu/models';
import {
  add,
  argmax,
  conv,
  gather,
  gelu,
  gemm,
  groupNorm,
  l2Normalise,
  matmul,
  reshape,
  type Tensor,
  transpose,
} from '@gvu/onnx';
import type { SiglipVqConfig } from './config.ts';

/** Features [N, width] of the vision transformer before they are quantised: [N, codeWidth]. */
export function beforeQuantising({ weight }: Modules, features: Tensor, { vision, codeWidth }: SiglipVqConfig): Tensor {
  // A convolution of one pixel is a product.
  const matrix = reshape(weight('quant_conv.weight', [codeWidth, vision.width, 1, 1]), [codeWidth, vision.width]);
  return gemm(features, matrix, { transB: true, addend: weight('quant_conv.bias', [codeWidth]) });
}

/** The code [N] (int64) whose row points most nearly where z [N, codeWidth] does. */
export function nearestCodes({ weight }: Modules, z: Tensor, { codes, codeWidth }: SiglipVqConfig): Tensor {
  const rows = l2Normalise(weight('quantize.embedding.weight', [codes, codeWidth]), 1, 1e-12);
  return argmax(matmul(l2Normalise(z, 1, 1e-12), rows, { transB: true }), 1);
}

/** Codes [B, h, w] to their rows behind the second projection: [B, width, h, w]. */
export function afterQuantising({ weight }: Modules, codes: Tensor, config: SiglipVqConfig): Tensor {
  const { vision, codeWidth } = config;
  const rows = gather(weight('quantize.embedding.weight', [config.codes, codeWidth]), codes); // [B, h, w, codeWidth]
  return conv(transpose(rows, [0, 3, 1, 2]), weight('post_quant_conv.weight', [vision.width, codeWidth, 1, 1]), {
    bias: weight('post_quant_conv.bias', [vision.width]),
  });
}

/** The semantic latents [B, width, h, w] of codes [B, h, w]. */
export function semanticLatents(modules: Modules, codes: Tensor, config: SiglipVqConfig): Tensor {
  const projected = afterQuantising(modules, codes, config);
  return [0, 1].reduce((x, i) => residualBlock(modules, x, `post_conv.${i}`), projected);
}

const groups = 32;

/** x + conv(gelu(norm(conv(gelu(norm(x)))))) */
function residualBlock({ weight }: Modules, x: Tensor, name: string): Tensor {
  const width = x.shape[1] ?? 0;
  const half = (input: Tensor, which: number) => {
    const normal = groupNorm(input, groups, {
      scale: weight(`${name}.norm${which}.weight`, [width]),
      bias: weight(`${name}.norm${which}.bias`, [width]),
      epsilon: 1e-5,
    });
    return conv(gelu(normal), weight(`${name}.conv${which}.weight`, [width, width, 3, 3]), {
      pads: 1,
      bias: weight(`${name}.conv${which}.bias`, [width]),
    });
  };
  return add(x, half(half(x, 1), 2));
}
