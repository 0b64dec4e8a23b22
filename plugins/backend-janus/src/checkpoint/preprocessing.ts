/**
 * How an image is brought before the tower, as `preprocessor_config.json` says it: resized to fit a square, filled up with a
 * colour, scaled and normalised. Releases differ (Janus-1.3B is not normalised), so the file must be there.
 */
import { defineConfig } from '@gvu/core';
import { readModelJson } from '@gvu/models';

export interface Preprocessing {
  /** Added around images that are not square, 8 bits a channel. */
  readonly background: readonly [number, number, number];
  /** The short side is not made smaller than this, in pixels. */
  readonly leastSide: number;
  /** Multiplies the bytes; then the mean is taken off, and the rest divided by the deviation. */
  readonly scale: number;
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

const channels = {
  type: 'array',
  items: { type: 'number' },
  minItems: 3,
  maxItems: 3,
  default: [0.5, 0.5, 0.5],
} as const;

const schema = defineConfig({
  type: 'object',
  properties: {
    min_size: { type: 'integer', minimum: 1, default: 14 },
    do_rescale: { type: 'boolean', default: true },
    rescale_factor: { type: 'number', exclusiveMinimum: 0, default: 1 / 255 },
    do_normalize: { type: ['boolean', 'null'], default: true },
    image_mean: channels,
    image_std: { ...channels, items: { type: 'number', exclusiveMinimum: 0 } },
  },
});

/** Throws GVU_MODEL_FILE, GVU_CONFIG_INVALID. */
export async function readPreprocessing(folder: string): Promise<Preprocessing> {
  const file = 'preprocessor_config.json';
  const found = schema.parse(await readModelJson(folder, file), { source: file });
  const normalises = found.do_normalize !== false;
  const [red = 0, green = 0, blue = 0] = found.image_mean.map((mean) => Math.trunc(mean * 255));
  return {
    background: [red, green, blue],
    leastSide: found.min_size,
    scale: found.do_rescale ? found.rescale_factor : 1,
    mean: normalises ? found.image_mean : [0, 0, 0],
    deviation: normalises ? found.image_std : [1, 1, 1],
  };
}
