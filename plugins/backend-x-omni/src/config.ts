/**
 * What X-Omni's config.json says: a Qwen2 decoder whose first and last layers belong to images, two vocabularies side by side, and
 * where the image encoder's weights lie. Source: XOmniConfig of the released checkpoint's remote code.
 */
import { isRecord } from '@gvu/core';
import { type DecoderConfig, decoderConfig } from '@gvu/models';
import { xOmniErrors } from './errors.ts';

export interface XOmniConfig {
  /** All layers, those of images too. */
  readonly decoder: DecoderConfig;
  /** Layers at the beginning and at the end that change image tokens only. */
  readonly adapterLayers: number;
  readonly headLayers: number;
  /** Rows of the image tables: the tokens that can be drawn first, then control tokens. */
  readonly imageRows: number;
  readonly imageTokens: number;
  readonly maxTokens: number;
  /** Names of the control tokens: begin and end of an image, and what its tokens follow. */
  readonly control: { readonly begin: string; readonly end: string; readonly image: string };
  readonly encoder: EncoderConfig | undefined;
}

/** Where the image encoder is, and how it wants its images. */
export interface EncoderConfig {
  /** Name of the vision transformer's architecture. */
  readonly architecture: string;
  /** Its heads where the checkpoint says them; `architecture` does otherwise. */
  readonly heads: number | undefined;
  /** Files below the checkpoint's directory. */
  readonly visionFile: string;
  readonly projectorFile: string;
  readonly sizes: ImageSizes;
}

/** Into which size an image is brought before it is encoded, in pixels. */
export interface ImageSizes {
  /** The short side is enlarged to this at least, and the long side then made smaller to `longest` at most. */
  readonly shortest: number;
  readonly longest: number;
  readonly patch: number;
  /** Images whose short side is less, or whose sides differ by a larger factor, are refused. */
  readonly least: number;
  readonly aspect: number;
}

/** Reads `config.json`. Throws GVU_XOMNI_CONFIG with every problem of X-Omni's own keys, GVU_MODEL_CONFIG with those of the decoder. */
export function xOmniConfig(json: Readonly<Record<string, unknown>>): XOmniConfig {
  const problems: string[] = [];
  if (json.model_type !== 'x-omni')
    problems.push(`model_type must be "x-omni", not ${JSON.stringify(json.model_type)}`);
  const whole = (key: string, fallback?: number): number => {
    const value = json[key] ?? fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
    problems.push(`${key} must be a whole number from 0, not ${JSON.stringify(value)}`);
    return 0;
  };
  const decoder = decoderConfig({ ...json, model_type: 'qwen2' });
  const [adapterLayers, headLayers] = [whole('num_mm_adap_layers', 4), whole('num_mm_head_layers', 4)];
  const [imageRows, imageTokens] = [whole('mm_vocab_size', 16448), whole('image_vocab_size', 16384)];
  const maxTokens = whole('max_position_embeddings', 32768);
  if (adapterLayers + headLayers > decoder.layers)
    problems.push(`${adapterLayers} adapter and ${headLayers} head layers are more than all ${decoder.layers}`);
  if (imageTokens < 1 || imageTokens > imageRows)
    problems.push(`image_vocab_size ${imageTokens} must be from 1 to mm_vocab_size ${imageRows}`);
  if (decoder.tiedHead) problems.push('tie_word_embeddings must be false');
  const control = controlTokens(json.mm_special_tokens, problems);
  const encoder = encoderConfig(json.vision_config, problems);
  if (problems.length > 0)
    throw xOmniErrors.error(
      'GVU_XOMNI_CONFIG',
      `config.json has ${problems.length} problem(s): ${problems.join('; ')}.`,
      {
        hint: 'Name the directory of an X-Omni checkpoint.',
        details: { problems },
      },
    );
  return {
    decoder,
    adapterLayers,
    headLayers,
    imageRows,
    imageTokens,
    maxTokens,
    control,
    encoder,
  };
}

function controlTokens(names: unknown, problems: string[]): XOmniConfig['control'] {
  const list: readonly unknown[] = Array.isArray(names)
    ? names
    : names === undefined
      ? ['<SOM>', '<EOM>', '<IMAGE>']
      : [];
  const [begin, end, image] = list;
  if (typeof begin === 'string' && typeof end === 'string' && typeof image === 'string') return { begin, end, image };
  problems.push(`mm_special_tokens must be three names or more, not ${JSON.stringify(names)}`);
  return { begin: '', end: '', image: '' };
}

function encoderConfig(vision: unknown, problems: string[]): EncoderConfig | undefined {
  if (!isRecord(vision) || !isRecord(vision.encoder)) return undefined;
  const { siglip_name, siglip_path, projector_path, num_heads } = vision.encoder;
  const transform = isRecord(vision.transform) ? vision.transform : {};
  const text = (key: string, value: unknown): string => {
    if (typeof value === 'string' && value !== '') return value;
    problems.push(`vision_config.encoder.${key} must be a name, not ${JSON.stringify(value)}`);
    return '';
  };
  const number = (key: string, fallback: number): number => {
    const value = transform[key] ?? fallback;
    if (typeof value === 'number' && value > 0) return value;
    problems.push(`vision_config.transform.${key} must be a number above 0, not ${JSON.stringify(value)}`);
    return fallback;
  };
  return {
    architecture: text('siglip_name', siglip_name),
    heads: typeof num_heads === 'number' && Number.isInteger(num_heads) && num_heads > 0 ? num_heads : undefined,
    visionFile: text('siglip_path', siglip_path),
    projectorFile: text('projector_path', projector_path),
    sizes: {
      shortest: number('short_size', 384),
      longest: number('long_size', 1152),
      patch: number('patch_size', 16),
      least: number('min_short_size', 128),
      aspect: number('max_aspect_ratio', 3),
    },
  };
}
