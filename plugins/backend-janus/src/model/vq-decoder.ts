/**
 * From image tokens to pixels: codes looked up, then a convolutional network that doubles the resolution level by level. Level 0 of
 * the checkpoint is the lowest resolution, which alone has attention. Only for looking: it has no gradient.
 *
 * Source: modeling_janus.py of transformers 5.18 (`JanusVQVAEDecoder`); `quantize` of vq_model.py in DeepSeek's release.
 */
import type { Modules } from '@gvu/models';
import { type FlatEntry, gather, l2Normalise, reshape, type Tensor, transpose } from '@gvu/onnx';
import type { VqConfig } from '../checkpoint/config.ts';
import { affineParameters, linearParameters } from './parameters.ts';
import {
  attendParameters,
  attendPlaces,
  convolve,
  finish,
  middle,
  middleParameters,
  residual,
  residualParameters,
  upsample,
} from './vq-layers.ts';

const root = 'model.vqmodel';
const network = `${root}.decoder`;

/** The codebook [codes, codeWidth], every code of length 1. */
export function unitCodebook({ weight }: Modules, { codes, codeWidth }: VqConfig): Tensor {
  return l2Normalise(weight(`${root}.quantize.embedding.weight`, [codes, codeWidth]), -1, 1e-12);
}

/** Codes [B, codeWidth, grid, grid] of tokens [B, grid²], row by row. */
export function tokenCodes(modules: Modules, config: VqConfig, tokens: Tensor): Tensor {
  const { gridSide, codeWidth } = config;
  const rows = gather(unitCodebook(modules, config), tokens);
  return transpose(reshape(rows, [-1, gridSide, gridSide, codeWidth]), [0, 3, 1, 2]);
}

/** Pixels [B, 3, side, side] in about [-1, 1], of codes [B, codeWidth, grid, grid]. */
export function decodeCodes(modules: Modules, config: VqConfig, codes: Tensor): Tensor {
  const levels = levelsOf(config);
  const first = convolve(modules, `${root}.post_quant_conv`, { x: codes, out: config.latent, kernel: 1 });
  let x = convolve(modules, `${network}.conv_in`, { x: first, out: levels[0]?.from ?? 0, kernel: 3 });
  x = middle(modules, `${network}.mid`, x);
  for (const { name, out, attends, grows } of levels) {
    for (let i = 0; i <= config.resBlocks; i++) {
      x = residual(modules, `${name}.block.${i}`, { x, out });
      if (attends) x = attendPlaces(modules, `${name}.attn.${i}`, x);
    }
    if (grows) x = upsample(modules, `${name}.upsample`, x);
  }
  return finish(modules, network, { x, out: 3 });
}

/** The levels from the lowest resolution up, with the channels that enter and leave. */
function levelsOf({ baseChannels, multipliers }: VqConfig) {
  const channels = multipliers.map((multiplier) => multiplier * baseChannels).reverse();
  return channels.map((out, i) => ({
    name: `${network}.up.${i}`,
    from: channels[i - 1] ?? out,
    out,
    attends: i === 0,
    grows: i < channels.length - 1,
  }));
}

/** Every tensor of the codebook and of the decoder. */
export function vqDecoderParameters(config: VqConfig): readonly FlatEntry[] {
  const { codes, codeWidth, latent, resBlocks } = config;
  const levels = levelsOf(config);
  const [lowest, highest] = [levels[0]?.from ?? 0, levels.at(-1)?.out ?? 0];
  return [
    { name: `${root}.quantize.embedding.weight`, shape: [codes, codeWidth] },
    ...linearParameters(`${root}.post_quant_conv`, [latent, codeWidth, 1, 1]),
    ...linearParameters(`${network}.conv_in`, [lowest, latent, 3, 3]),
    ...middleParameters(`${network}.mid`, lowest),
    ...levels.flatMap(({ name, from, out, attends, grows }) => [
      ...Array.from({ length: resBlocks + 1 }, (_, i) => [
        ...residualParameters(`${name}.block.${i}`, { from: i === 0 ? from : out, out }),
        ...(attends ? attendParameters(`${name}.attn.${i}`, out) : []),
      ]).flat(),
      ...(grows ? linearParameters(`${name}.upsample.conv`, [out, out, 3, 3]) : []),
    ]),
    ...affineParameters(`${network}.norm_out`, highest),
    ...linearParameters(`${network}.conv_out`, [3, highest, 3, 3]),
  ];
}
