/**
 * The size of the picture as a JPEG file: a reward that is easily hacked, by empty or by noisy pictures, and so shows whether a
 * training loop follows its reward wherever that leads. It knows nothing of the prompt.
 *
 * From DDPO (Black et al. 2023, arXiv 2305.13301): ± kilobytes of 1,000 bytes, at quality 95. flow_grpo divides `compressible` by a
 * further 500. Their encoder stores colour at half the resolution, this one at the full, so sizes are not those of the papers.
 */
import { setImmediate } from 'node:timers/promises';
import { defineConfig } from '@gvu/core';
import type { Pixels } from '@gvu/models';
import { encode } from 'jpeg-js';
import { rewardErrors } from './errors.ts';
import type { Reward } from './reward.ts';
import { rolloutInput } from './rollout-input.ts';

export const jpegSizeConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    direction: {
      enum: ['compressible', 'incompressible'],
      default: 'compressible',
      description: 'Which pictures are better: small files (compressible, the reward is negative) or large ones.',
    },
    quality: {
      type: 'integer',
      minimum: 1,
      maximum: 100,
      default: 95,
      description: 'Quality of the compression.',
    },
  },
});

export type JpegSizeOptions = ReturnType<typeof jpegSizeConfig.parse>;

/** In (-inf, 0] or [0, inf), in kilobytes of 1,000 bytes. */
export function jpegSize({ direction, quality }: JpegSizeOptions): Reward {
  const name = 'jpeg-size';
  const sign = direction === 'compressible' ? -1 : 1;
  return {
    name,
    version: `1 direction=${direction} quality=${quality}`,
    inputs: ['pixels'],
    range: direction === 'compressible' ? [Number.NEGATIVE_INFINITY, 0] : [0, Number.POSITIVE_INFINITY],
    deterministic: true,
    async score(rollouts, { signal }) {
      const values: number[] = [];
      for (const [row, rollout] of rollouts.entries()) {
        // The encoder is synchronous: between two pictures others get their turn, and an abort is heard.
        await setImmediate(undefined, { signal });
        const bytes = jpegBytes(rolloutInput(rollout, 'pixels', { reward: name, row }), quality);
        values.push((sign * bytes) / 1000);
      }
      return { values };
    },
  };
}

function jpegBytes({ width, height, data }: Pixels, quality: number): number {
  if (!(width >= 1 && height >= 1 && data.length === 3 * width * height))
    throw rewardErrors.error('GVU_REWARD_INPUT', `A picture of ${width} × ${height} has ${data.length} bytes.`, {
      hint: 'Pixels are RGB: 3 bytes for each.',
    });
  // The encoder takes RGBA, and reads no alpha.
  const rgba = new Uint8Array(4 * width * height);
  for (let pixel = 0; pixel < width * height; pixel++) rgba.set(data.subarray(3 * pixel, 3 * pixel + 3), 4 * pixel);
  return encode({ width, height, data: rgba }, quality).data.length;
}
