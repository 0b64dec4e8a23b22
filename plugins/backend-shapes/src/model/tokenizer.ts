/**
 * From pixels to tokens: each patch of 16 x 16 pixels becomes the code nearest to what a small encoder makes of it.
 *
 * Source: A. van den Oord, O. Vinyals, K. Kavukcuoglu, "Neural discrete representation learning", 2017 (VQ-VAE). The
 * encoder sees one patch only: with context, as many codes as there are surroundings would be needed.
 */
import type { Modules } from '@gvu/models';
import { argmax, gather, gemm, mul, silu, sub, sum, type Tensor } from '@gvu/onnx';
import type { TokenizerSizes } from './config.ts';

/** Patches [N, 768] to latents [N, latent]. */
export function encodePatches({ linear }: Modules, patches: Tensor, { width, latent }: TokenizerSizes): Tensor {
  const first = silu(linear('tokenizer.encoder.0', patches, { out: width, bias: true }));
  const second = silu(linear('tokenizer.encoder.1', first, { out: width, bias: true }));
  return linear('tokenizer.encoder.2', second, { out: latent, bias: true });
}

/** Index (int64 [N]) of the code nearest to each latent [N, latent]; `codebook` is [codes, latent]. */
export function nearestCodes(latents: Tensor, codebook: Tensor): Tensor {
  // |z - c|^2 without |z|^2, which is the same for all codes; negative.
  const closeness = sub(gemm(latents, codebook, { transB: true, alpha: 2 }), sum(mul(codebook, codebook), [1]));
  return argmax(closeness, 1);
}

/** Codes [N, latent] by index [N]. */
export function codesOf(codebook: Tensor, indices: Tensor): Tensor {
  return gather(codebook, indices);
}
