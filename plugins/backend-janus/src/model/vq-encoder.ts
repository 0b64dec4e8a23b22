/**
 * The tensors of the network that turns pixels into image tokens, which checkpoints have and nothing here runs: Janus reads pictures
 * through its tower, never as the tokens that it draws. They are known so that a checkpoint can be told to be whole.
 *
 * Whoever adds the network: DeepSeek's release brings codes and latents to length 1 before it compares them; transformers 5.18 leaves
 * that out when it encodes, and finds other tokens.
 *
 * Source: names as in modeling_janus.py of transformers.
 */
import type { FlatEntry } from '@gvu/onnx';
import type { VqConfig } from '../checkpoint/config.ts';
import { affineParameters, linearParameters } from './parameters.ts';
import { attendParameters, middleParameters, residualParameters } from './vq-layers.ts';

const root = 'model.vqmodel';
const network = `${root}.encoder`;

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
