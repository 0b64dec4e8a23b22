/**
 * The small networks around the language model: the aligners that turn features or codes into its embeddings, and the head that
 * turns its hidden states into logits of image tokens. The embeddings of drawn tokens are a table of their own, not the codebook.
 *
 * Source: modeling_janus.py of transformers 5.18 (`JanusVQVAEAlignerMLP`, `JanusVQVAEHead`), whose names the tensors have.
 */
import type { Modules } from '@gvu/models';
import { type FlatEntry, gelu, type LoraModule, reshape, type Tensor } from '@gvu/onnx';
import type { JanusConfig, VqConfig } from '../checkpoint/config.ts';
import { linearParameters } from './parameters.ts';

const embeddings = 'model.generation_embeddings';
const aligner = 'model.generation_aligner';
const head = 'model.generation_head';

/** x [N, in] through a linear layer and then GELU and a linear layer, as often as there are `layers`: [N, width]. */
export function alignRows(
  modules: Modules,
  name: string,
  { x, width, layers }: { x: Tensor; width: number; layers: number },
): Tensor {
  let y = modules.linear(`${name}.fc1`, x, { out: width, bias: true });
  for (let i = 0; i < layers - 1; i++)
    y = modules.linear(`${name}.hidden_layers.${i}`, gelu(y), { out: width, bias: true });
  return y;
}

/** Embeddings [N, decoderWidth] for the language model, of N image tokens (int64, of any shape). */
export function embedImageTokens(modules: Modules, { decoder, vq }: JanusConfig, tokens: Tensor): Tensor {
  const x = imageCodes(modules, vq, tokens);
  return alignRows(modules, aligner, { x, width: decoder.width, layers: vq.alignerLayers });
}

/** The rows [N, codeWidth] of the embedding table of drawn tokens. */
export function imageCodes(modules: Modules, vq: VqConfig, tokens: Tensor): Tensor {
  const rows = modules.embedding(embeddings, tokens, { rows: vq.codes, width: vq.codeWidth });
  return reshape(rows, [-1, vq.codeWidth]);
}

/** Logits [N, codes] of the next image token, of hidden states [N, decoderWidth] after the final norm. */
export function imageLogits(modules: Modules, { decoder, vq }: JanusConfig, hidden: Tensor): Tensor {
  const inner = gelu(modules.linear(`${head}.proj_out`, hidden, { out: decoder.width, bias: true }));
  return modules.linear(`${head}.vision_head`, inner, { out: vq.codes, bias: true });
}

/** Every tensor that drawing needs besides the language model. */
export function generationParameters({ decoder, vq }: JanusConfig): readonly FlatEntry[] {
  return [
    { name: `${embeddings}.weight`, shape: [vq.codes, vq.codeWidth] },
    ...alignerParameters(aligner, { from: vq.codeWidth, width: decoder.width, layers: vq.alignerLayers }),
    ...linearParameters(`${head}.proj_out`, [decoder.width, decoder.width]),
    ...linearParameters(`${head}.vision_head`, [vq.codes, decoder.width]),
  ];
}

/** The modules among them that can carry an adapter. */
export function generationModules({ decoder, vq }: JanusConfig): readonly LoraModule[] {
  const linear = (name: string, from: number, to: number) => ({ name, kind: 'linear', in: from, out: to }) as const;
  const { width } = decoder;
  return [
    { name: embeddings, kind: 'embedding', in: vq.codes, out: vq.codeWidth },
    linear(`${aligner}.fc1`, vq.codeWidth, width),
    ...Array.from({ length: vq.alignerLayers - 1 }, (_, i) => linear(`${aligner}.hidden_layers.${i}`, width, width)),
    linear(`${head}.proj_out`, width, width),
    linear(`${head}.vision_head`, width, vq.codes),
  ];
}

/** Every tensor of an aligner. */
export function alignerParameters(
  name: string,
  { from, width, layers }: { from: number; width: number; layers: number },
): readonly FlatEntry[] {
  return [
    ...linearParameters(`${name}.fc1`, [width, from]),
    ...Array.from({ length: layers - 1 }, (_, i) =>
      linearParameters(`${name}.hidden_layers.${i}`, [width, width]),
    ).flat(),
  ];
}
