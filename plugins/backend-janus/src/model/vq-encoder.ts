/**
 * From pixels to image tokens: a convolutional network that halves the resolution level by level, then the nearest code. Codes and
 * what the network gives are both brought to length 1 before they are compared, as in DeepSeek's release; transformers 5.18 leaves that
 * out when it encodes, and finds other tokens.
 *
 * Sources: vq_model.py of DeepSeek's release; names as in modeling_janus.py of transformers.
 */
import type { Modules } from '@gvu/models';
import { argmax, type FlatEntry, l2Normalise, matmul, reshape, type Tensor, transpose } from '@gvu/onnx';
import type { VqConfig } from '../checkpoint/config.ts';
import { affineParameters, linearParameters } from './parameters.ts';
import { unitCodebook } from './vq-decoder.ts';
import {
  attendParameters,
  attendPlaces,
  convolve,
  downsample,
  finish,
  middle,
  middleParameters,
  residual,
  residualParameters,
} from './vq-layers.ts';

const root = 'model.vqmodel';
const network = `${root}.encoder`;

/** Tokens int64 [B, grid²] of pixels [B, 3, side, side] in [-1, 1]. */
export function encodePixels(modules: Modules, config: VqConfig, pixels: Tensor): Tensor {
  const [batch = 0] = pixels.shape;
  const { codeWidth, gridSide } = config;
  let x = convolve(modules, `${network}.conv_in`, { x: pixels, out: config.baseChannels, kernel: 3 });
  for (const { name, out, attends, shrinks } of levelsOf(config)) {
    for (let i = 0; i < config.resBlocks; i++) {
      x = residual(modules, `${name}.block.${i}`, { x, out });
      if (attends) x = attendPlaces(modules, `${name}.attn.${i}`, x);
    }
    if (shrinks) x = downsample(modules, `${name}.downsample`, x);
  }
  const last = finish(modules, network, { x: middle(modules, `${network}.mid`, x), out: config.latent });
  const latents = convolve(modules, `${root}.quant_conv`, { x: last, out: codeWidth, kernel: 1 });
  const rows = l2Normalise(reshape(transpose(latents, [0, 2, 3, 1]), [-1, codeWidth]), -1, 1e-12);
  // Of vectors of length 1 the nearest is the one of the largest product.
  const nearest = argmax(matmul(rows, unitCodebook(modules, config), { transB: true }), -1);
  return reshape(nearest, [batch, gridSide ** 2]);
}

/** The levels from the highest resolution down, with the channels that enter and leave. */
function levelsOf({ baseChannels, multipliers }: VqConfig) {
  const channels = multipliers.map((multiplier) => multiplier * baseChannels);
  return channels.map((out, i) => ({
    name: `${network}.down.${i}`,
    from: channels[i - 1] ?? baseChannels,
    out,
    attends: i === channels.length - 1,
    shrinks: i < channels.length - 1,
  }));
}

/** Every tensor of the encoder, without the codebook. */
export function vqEncoderParameters(config: VqConfig): readonly FlatEntry[] {
  const { baseChannels, codeWidth, latent, resBlocks } = config;
  const levels = levelsOf(config);
  const lowest = levels.at(-1)?.out ?? 0;
  return [
    ...linearParameters(`${network}.conv_in`, [baseChannels, 3, 3, 3]),
    ...levels.flatMap(({ name, from, out, attends, shrinks }) => [
      ...Array.from({ length: resBlocks }, (_, i) => [
        ...residualParameters(`${name}.block.${i}`, { from: i === 0 ? from : out, out }),
        ...(attends ? attendParameters(`${name}.attn.${i}`, out) : []),
      ]).flat(),
      ...(shrinks ? linearParameters(`${name}.downsample.conv`, [out, out, 3, 3]) : []),
    ]),
    ...middleParameters(`${network}.mid`, lowest),
    ...affineParameters(`${network}.norm_out`, lowest),
    ...linearParameters(`${network}.conv_out`, [latent, lowest, 3, 3]),
    ...linearParameters(`${root}.quant_conv`, [codeWidth, latent, 1, 1]),
  ];
}
