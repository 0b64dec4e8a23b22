import { describe, expect, it } from 'vitest';
import { type DecoderConfig, decoderConfig } from './config.ts';
import { decoderModules, decoderParameters } from './parameters.ts';

const config: DecoderConfig = decoderConfig({
  model_type: 'qwen2',
  vocab_size: 10,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
});

describe('decoderParameters', () => {
  it('are the names and shapes of a Hugging Face checkpoint', () => {
    const lines = decoderParameters(config).map(({ name, shape }) => `${name} [${shape.join(', ')}]`);
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "model.embed_tokens.weight [10, 8]
      model.layers.0.self_attn.q_proj.weight [8, 8]
      model.layers.0.self_attn.q_proj.bias [8]
      model.layers.0.self_attn.k_proj.weight [4, 8]
      model.layers.0.self_attn.k_proj.bias [4]
      model.layers.0.self_attn.v_proj.weight [4, 8]
      model.layers.0.self_attn.v_proj.bias [4]
      model.layers.0.self_attn.o_proj.weight [8, 8]
      model.layers.0.mlp.gate_proj.weight [12, 8]
      model.layers.0.mlp.up_proj.weight [12, 8]
      model.layers.0.mlp.down_proj.weight [8, 12]
      lm_head.weight [10, 8]
      model.layers.0.input_layernorm.weight [8]
      model.layers.0.post_attention_layernorm.weight [8]
      model.norm.weight [8]"
    `);
  });

  it('have no head when it is tied, two norms more a layer with normed heads, and another prefix when asked', () => {
    const names = (change: Partial<DecoderConfig>, prefix?: string) =>
      decoderParameters({ ...config, ...change }, prefix).map(({ name }) => name);
    expect(names({ tiedHead: true })).not.toContain('lm_head.weight');
    const normed = names({ qkNorm: 'rms' }).filter((name) => !names({}).includes(name));
    expect(normed).toEqual(['model.layers.0.self_attn.q_norm.weight', 'model.layers.0.self_attn.k_norm.weight']);
    expect(names({}, 'language_model.model.')).toContain('language_model.model.layers.0.mlp.up_proj.weight');
  });
});

describe('decoderModules', () => {
  it('are the layers that take an adapter, with features in and out', () => {
    expect(decoderModules(config).map(({ name, kind, in: from, out, bias }) => [name, kind, from, out, bias])).toEqual([
      ['model.embed_tokens', 'embedding', 10, 8, false],
      ['model.layers.0.self_attn.q_proj', 'linear', 8, 8, true],
      ['model.layers.0.self_attn.k_proj', 'linear', 8, 4, true],
      ['model.layers.0.self_attn.v_proj', 'linear', 8, 4, true],
      ['model.layers.0.self_attn.o_proj', 'linear', 8, 8, false],
      ['model.layers.0.mlp.gate_proj', 'linear', 8, 12, false],
      ['model.layers.0.mlp.up_proj', 'linear', 8, 12, false],
      ['model.layers.0.mlp.down_proj', 'linear', 12, 8, false],
      ['lm_head', 'linear', 8, 10, false],
    ]);
  });
});
