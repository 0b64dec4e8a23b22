/** Names and shapes of every tensor of a decoder, as Hugging Face checkpoints have them: for checking, initialising and adapting. */
import type { FlatEntry, LoraModule } from '@gvu/onnx';
import type { DecoderConfig } from './config.ts';

/** The linear layers and the embedding of a decoder, by module name, with their features. */
export function decoderModules(config: DecoderConfig, prefix = 'model.'): readonly (LoraModule & { bias: boolean })[] {
  const { width, feedForward, vocabulary } = config;
  const [queries, keys] = [config.heads * config.headDim, config.kvHeads * config.headDim];
  const linear = (name: string, from: number, to: number, bias: boolean) =>
    ({ name, kind: 'linear', in: from, out: to, bias }) as const;
  return [
    { name: `${prefix}embed_tokens`, kind: 'embedding', in: vocabulary, out: width, bias: false },
    ...Array.from({ length: config.layers }, (_, i) => {
      const [attention, mlp] = [`${prefix}layers.${i}.self_attn.`, `${prefix}layers.${i}.mlp.`];
      return [
        linear(`${attention}q_proj`, width, queries, config.qkvBias),
        linear(`${attention}k_proj`, width, keys, config.qkvBias),
        linear(`${attention}v_proj`, width, keys, config.qkvBias),
        linear(`${attention}o_proj`, queries, width, config.outputBias),
        linear(`${mlp}gate_proj`, width, feedForward, config.mlpBias),
        linear(`${mlp}up_proj`, width, feedForward, config.mlpBias),
        linear(`${mlp}down_proj`, feedForward, width, config.mlpBias),
      ];
    }).flat(),
    ...(config.tiedHead ? [] : [linear('lm_head', width, vocabulary, false)]),
  ];
}

function headNorms({ qkNorm, heads, kvHeads, headDim }: DecoderConfig, attention: string): readonly FlatEntry[] {
  if (qkNorm === 'none') return [];
  if (qkNorm === 'rms')
    return ['q', 'k'].map((part) => ({ name: `${attention}${part}_norm.weight`, shape: [headDim] }));
  return ['weight', 'bias'].flatMap((what) => [
    { name: `${attention}q_norm.${what}`, shape: [heads, headDim] },
    { name: `${attention}k_norm.${what}`, shape: [kvHeads, headDim] },
  ]);
}

/** Every tensor of a decoder: its modules' weights and biases, and the scales of its norms. */
export function decoderParameters(config: DecoderConfig, prefix = 'model.'): readonly FlatEntry[] {
  const modules = decoderModules(config, prefix).flatMap(({ name, kind, in: from, out, bias }) => [
    { name: `${name}.weight`, shape: kind === 'embedding' ? [from, out] : [out, from] },
    ...(bias ? [{ name: `${name}.bias`, shape: [out] }] : []),
  ]);
  const norms = Array.from({ length: config.layers }, (_, i) => {
    const layer = `${prefix}layers.${i}.`;
    return [
      { name: `${layer}input_layernorm.weight`, shape: [config.width] },
      { name: `${layer}post_attention_layernorm.weight`, shape: [config.width] },
      ...headNorms(config, `${layer}self_attn.`),
    ];
  }).flat();
  return [...modules, ...norms, { name: `${prefix}norm.weight`, shape: [config.width] }];
}
