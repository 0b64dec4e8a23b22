import { describe, expect, it } from 'vitest';
import { decoderConfig } from './config.ts';

const least = {
  model_type: 'llama',
  vocab_size: 100,
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
};

describe('decoderConfig', () => {
  it('fills in what Llama has by default', () => {
    expect(decoderConfig(least)).toEqual({
      vocabulary: 100,
      width: 32,
      feedForward: 64,
      layers: 2,
      heads: 4,
      kvHeads: 4,
      headDim: 8,
      epsilon: 1e-6,
      ropeTheta: 10_000,
      ropeScaling: { type: 'default' },
      qkvBias: false,
      outputBias: false,
      mlpBias: false,
      qkNorm: 'none',
      normsBehind: false,
      tiedHead: false,
    });
  });

  it.each([
    ['llama with attention_bias', { attention_bias: true }, { qkvBias: true, outputBias: true, qkNorm: 'none' }],
    ['qwen2', { model_type: 'qwen2' }, { qkvBias: true, outputBias: false, qkNorm: 'none', headDim: 8 }],
    ['qwen3', { model_type: 'qwen3' }, { qkvBias: false, outputBias: false, qkNorm: 'rms', headDim: 128 }],
    ['chameleon', { model_type: 'chameleon' }, { qkNorm: 'layer', normsBehind: false }],
    ['chameleon of 30B', { model_type: 'chameleon', swin_norm: true }, { qkNorm: 'layer', normsBehind: true }],
    ['qwen3 with head_dim', { model_type: 'qwen3', head_dim: 16 }, { headDim: 16 }],
    ['a head_dim of null', { head_dim: null }, { headDim: 8 }],
    ['one key head', { num_key_value_heads: 1 }, { kvHeads: 1 }],
  ])('knows what belongs to %s', (_, change, expected) => {
    expect(decoderConfig({ ...least, ...change })).toMatchObject(expected);
  });

  it.each([
    ['transformers 4', { rope_theta: 5e5, rope_scaling: null }, 5e5, { type: 'default' }],
    ['transformers 5', { rope_parameters: { rope_theta: 1e6, rope_type: 'default' } }, 1e6, { type: 'default' }],
    ['the oldest spelling', { rope_scaling: { type: 'linear', factor: 4 } }, 1e4, { type: 'linear', factor: 4 }],
    [
      'Llama 3.1',
      {
        rope_theta: 5e5,
        rope_scaling: {
          rope_type: 'llama3',
          factor: 8,
          low_freq_factor: 1,
          high_freq_factor: 4,
          original_max_position_embeddings: 8192,
        },
      },
      5e5,
      { type: 'llama3', factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: 8192 },
    ],
  ])('reads rotary parameters as %s writes them', (_, change, ropeTheta, ropeScaling) => {
    expect(decoderConfig({ ...least, ...change })).toMatchObject({ ropeTheta, ropeScaling });
  });

  it.each([
    [{ model_type: 'gpt2' }, /model_type must be one of llama, qwen2, qwen3, chameleon, not "gpt2"/],
    [{ hidden_act: 'gelu' }, /hidden_act must be silu, not "gelu"/],
    [{ use_sliding_window: true }, /use_sliding_window/],
    [{ layer_types: ['full_attention', 'sliding_attention'] }, /layer_types.*sliding_attention/],
    [{ use_sliding_window: 'yes' }, /use_sliding_window must be true or false, not "yes"/],
    [{ layer_types: 'sliding_attention' }, /layer_types.*sliding_attention/],
    [{ quantization_config: { bits: 4 } }, /quantization_config/],
    [{ rope_scaling: 'yarn' }, /rope_scaling must be an object, not "yarn"/],
    [{ rope_parameters: [{ rope_type: 'yarn' }] }, /rope_parameters must be an object/],
    [
      { rope_parameters: { full_attention: { rope_type: 'yarn' } } },
      /must be the same for all layers, not by full_att/,
    ],
    [{ rope_parameters: { rope_type: 'default' }, rope_scaling: { type: 'yarn' } }, /rope_scaling differ/],
    [{ rope_scaling: { rope_type: 'yarn', factor: 4 } }, /rope scaling must be default, linear or llama3, not "yarn"/],
    [{ rope_scaling: { rope_type: 'linear' } }, /'linear' needs factor above 0/],
    [{ rope_parameters: { rope_theta: 1e4, partial_rotary_factor: 0.5 } }, /partial_rotary_factor must be 1/],
    [{ rope_theta: -1 }, /rope_theta must be a number above 0, not -1/],
    [{ vocab_size: undefined }, /vocab_size must be a number above 0 and is missing/],
    [{ num_hidden_layers: 1e9 }, /num_hidden_layers must be at most 1024, not 1000000000/],
    [{ vocab_size: 1e15 }, /vocab_size must be at most 16777216/],
    [{ vocab_size: 12.5 }, /vocab_size must be a whole number, not 12.5/],
    [{ num_attention_heads: 5 }, /head_dim must be a whole number, not 6.4/],
    [{ num_key_value_heads: 3 }, /num_attention_heads \(4\) must be a multiple of num_key_value_heads \(3\)/],
    [{ head_dim: 7 }, /head_dim must be even, not 7/],
    [{ tie_word_embeddings: 'yes' }, /tie_word_embeddings must be true or false, not "yes"/],
  ])('refuses %o', (change, message) => {
    expect(() => decoderConfig({ ...least, ...change })).toThrowError(message);
  });

  it('tells every problem at once', () => {
    expect(() =>
      decoderConfig({ model_type: 'bert', rope_scaling: { type: 'llama3', factor: 8 } }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[GvuError: GVU_MODEL_CONFIG: The decoder's configuration has 9 problem(s): model_type must be one of llama, qwen2, qwen3, chameleon, not "bert"; num_attention_heads must be a number above 0 and is missing; hidden_size must be a number above 0 and is missing; rope scaling 'llama3' needs low_freq_factor above 0; rope scaling 'llama3' needs high_freq_factor above 0; rope scaling 'llama3' needs original_max_position_embeddings above 0; vocab_size must be a number above 0 and is missing; intermediate_size must be a number above 0 and is missing; num_hidden_layers must be a number above 0 and is missing. Check config.json in the checkpoint.]`,
    );
    expect(() => decoderConfig([])).toThrowError(/not a JSON object/);
  });
});
