/**
 * The configuration of a decoder-only transformer of the Llama family, and how to read it from a Hugging Face
 * `config.json` (Llama, Qwen2/2.5, Qwen3, Chameleon; transformers 4 and 5 spellings). What the decoder does not do is refused by
 * name: a silently ignored option would give wrong numbers.
 */
import { modelErrors } from '../errors.ts';

export type RopeScaling =
  | { readonly type: 'default' }
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalPositions: number;
    };

export interface DecoderConfig {
  readonly vocabulary: number;
  readonly width: number;
  readonly feedForward: number;
  readonly layers: number;
  readonly heads: number;
  /** Key and value heads: a divisor of `heads` (grouped-query attention). */
  readonly kvHeads: number;
  readonly headDim: number;
  readonly epsilon: number;
  readonly ropeTheta: number;
  readonly ropeScaling: RopeScaling;
  /** Biases on q, k and v (Qwen2). */
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** On every head of q and k before rotation: RMSNorm (Qwen3), or LayerNorm with a scale and a bias for each head (Chameleon). */
  readonly qkNorm: 'none' | 'rms' | 'layer';
  /** Norms stand behind attention and feed-forward, before the residual addition (Chameleon 30B), instead of before them. */
  readonly normsBehind: boolean;
  /** The head is the embedding table. */
  readonly tiedHead: boolean;
}

type Json = Readonly<Record<string, unknown>>;

const families = ['llama', 'qwen2', 'qwen3', 'chameleon'] as const;

/** Reads a `config.json`. Throws GVU_MODEL_CONFIG with every problem at once. */
export function decoderConfig(json: unknown): DecoderConfig {
  const problems: string[] = [];
  const source: Json = isObject(json) ? json : {};
  if (!isObject(json)) problems.push('it is not a JSON object');

  /** NaN after a problem, and where it follows from one. */
  const number = (key: string, fallback?: number): number => {
    const value = source[key] ?? fallback;
    if (typeof value === 'number' && ((Number.isFinite(value) && value > 0) || Number.isNaN(value))) return value;
    problems.push(
      `${key} must be a number above 0${value === undefined ? ' and is missing' : `, not ${JSON.stringify(value)}`}`,
    );
    return Number.NaN;
  };
  const whole = (key: string, { fallback, most = 2 ** 24 }: { fallback?: number; most?: number } = {}): number => {
    const value = number(key, fallback);
    if (!Number.isInteger(value) && !Number.isNaN(value)) problems.push(`${key} must be a whole number, not ${value}`);
    if (value > most) problems.push(`${key} must be at most ${most}, not ${value}`);
    return value;
  };
  const flag = (key: string, fallback: boolean): boolean => {
    const value = source[key] ?? fallback;
    if (typeof value !== 'boolean') problems.push(`${key} must be true or false, not ${JSON.stringify(value)}`);
    return value === true;
  };

  const family = families.find((name) => name === source.model_type);
  if (!family)
    problems.push(`model_type must be one of ${families.join(', ')}, not ${JSON.stringify(source.model_type)}`);
  if ((source.hidden_act ?? 'silu') !== 'silu')
    problems.push(`hidden_act must be silu, not ${JSON.stringify(source.hidden_act)}`);
  if (flag('use_sliding_window', false)) problems.push('use_sliding_window is not supported');
  const layerTypes: readonly unknown[] = Array.isArray(source.layer_types)
    ? source.layer_types
    : [source.layer_types ?? 'full_attention'];
  if (layerTypes.some((type) => type !== 'full_attention'))
    problems.push(`layer_types must all be full_attention, not ${JSON.stringify([...new Set(layerTypes)])}`);
  if ((source.quantization_config ?? null) !== null)
    problems.push('quantised weights (quantization_config) cannot be read');
  const heads = whole('num_attention_heads');
  const width = whole('hidden_size');
  const rope = ropeOf(source, problems);
  const attentionBias = family === 'qwen2' || flag('attention_bias', false);
  const config: DecoderConfig = {
    vocabulary: whole('vocab_size'),
    width,
    feedForward: whole('intermediate_size'),
    layers: whole('num_hidden_layers', { most: 1024 }),
    heads,
    kvHeads: whole('num_key_value_heads', { fallback: heads }),
    headDim: whole('head_dim', { fallback: family === 'qwen3' ? 128 : width / heads }),
    epsilon: number('rms_norm_eps', 1e-6),
    ropeTheta: rope.theta,
    ropeScaling: rope.scaling,
    qkvBias: attentionBias,
    outputBias: attentionBias && family !== 'qwen2',
    mlpBias: flag('mlp_bias', false),
    qkNorm: family === 'qwen3' ? 'rms' : family === 'chameleon' ? 'layer' : 'none',
    normsBehind: family === 'chameleon' && flag('swin_norm', false),
    tiedHead: flag('tie_word_embeddings', false),
  };
  if (config.heads % config.kvHeads > 0)
    problems.push(
      `num_attention_heads (${config.heads}) must be a multiple of num_key_value_heads (${config.kvHeads})`,
    );
  if (config.headDim % 2 > 0) problems.push(`head_dim must be even, not ${config.headDim}`);
  if (problems.length > 0)
    throw modelErrors.error(
      'GVU_MODEL_CONFIG',
      `The decoder's configuration has ${problems.length} problem(s): ${problems.join('; ')}.`,
      {
        hint: 'Check config.json in the checkpoint.',
        details: { problems },
      },
    );
  return config;
}

/** transformers 4 writes `rope_theta` and `rope_scaling`, transformers 5 one `rope_parameters`. */
function ropeOf(source: Json, problems: string[]): { theta: number; scaling: RopeScaling } {
  const given = (['rope_parameters', 'rope_scaling'] as const).flatMap((key) => {
    const value = source[key] ?? undefined;
    if (value !== undefined && !isObject(value))
      problems.push(`${key} must be an object, not ${JSON.stringify(value)}`);
    if (!isObject(value)) return [];
    const layered = Object.keys(value).filter((name) => isObject(value[name]));
    if (layered.length > 0) problems.push(`${key} must be the same for all layers, not by ${layered.join(', ')}`);
    return [value];
  });
  const [merged = {}, other = merged] = given;
  if (JSON.stringify(other) !== JSON.stringify(merged)) problems.push('rope_parameters and rope_scaling differ');
  const theta = merged.rope_theta ?? source.rope_theta ?? 10_000;
  if (typeof theta !== 'number' || !(theta > 0))
    problems.push(`rope_theta must be a number above 0, not ${JSON.stringify(theta)}`);
  const rotated = merged.partial_rotary_factor ?? source.partial_rotary_factor ?? 1;
  if (rotated !== 1) problems.push(`partial_rotary_factor must be 1, not ${JSON.stringify(rotated)}`);
  const type = merged.rope_type ?? merged.type ?? 'default';
  const field = (key: string): number => {
    const value = merged[key];
    if (typeof value === 'number' && value > 0) return value;
    problems.push(`rope scaling '${String(type)}' needs ${key} above 0`);
    return 1;
  };
  const result = (scaling: RopeScaling) => ({ theta: Number(theta), scaling });
  if (type === 'default') return result({ type });
  if (type === 'linear') return result({ type, factor: field('factor') });
  if (type === 'llama3') {
    const [low, high] = [field('low_freq_factor'), field('high_freq_factor')];
    if (low > high) problems.push(`low_freq_factor (${low}) is above high_freq_factor (${high})`);
    return result({
      type,
      factor: field('factor'),
      lowFrequencyFactor: low,
      highFrequencyFactor: high,
      originalPositions: field('original_max_position_embeddings'),
    });
  }
  problems.push(`rope scaling must be default, linear or llama3, not ${JSON.stringify(type)}`);
  return result({ type: 'default' });
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
