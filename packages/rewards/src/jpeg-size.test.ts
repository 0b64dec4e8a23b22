import { fillIntegers, randomStream } from '@gvu/core';
import type { Pixels } from '@gvu/models';
import { encode } from 'jpeg-js';
import { describe, expect, it } from 'vitest';
import { jpegSize, jpegSizeConfig } from './jpeg-size.ts';
import type { Rollout } from './reward.ts';

const { signal } = new AbortController();
const make = (options: object = {}) => jpegSize(jpegSizeConfig.parse(options, { source: 'test' }));
const rollout = (pixels?: Pixels): Rollout => ({
  prompt: 'a cube',
  address: { step: 0, prompt: 0, sample: 0 },
  ...(pixels && { pixels }),
});
const scoreOf = async (pixels: Pixels, options: object = {}) =>
  (await make(options).score([rollout(pixels)], { signal })).values[0] ?? Number.NaN;

function flat(width: number, height: number, [r, g, b]: readonly [number, number, number]): Pixels {
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => [r, g, b][i % 3] ?? 0);
  return { width, height, data };
}
function noise(width: number, height: number): Pixels {
  const values = new Int32Array(3 * width * height);
  fillIntegers(values, randomStream(1, 'test').at(), { low: 0, high: 256 });
  return { width, height, data: Uint8Array.from(values) };
}

describe('the size of a JPEG', () => {
  it('is better small, or large, in kilobytes of 1,000 bytes', async () => {
    const picture = noise(32, 24);
    const rgba = new Uint8Array(32 * 24 * 4).fill(255);
    for (let i = 0; i < 32 * 24; i++) rgba.set(picture.data.subarray(3 * i, 3 * i + 3), 4 * i);
    const bytes = encode({ width: 32, height: 24, data: rgba }, 95).data.length;
    expect(await scoreOf(picture)).toBe(-bytes / 1000);
    expect(await scoreOf(picture, { direction: 'incompressible' })).toBe(bytes / 1000);
    expect(await scoreOf(picture, { quality: 40 })).toBeGreaterThan(await scoreOf(picture));
  });

  it('is hacked as intended: an empty picture beats a noisy one', async () => {
    expect(await scoreOf(flat(64, 64, [200, 30, 30]))).toBeGreaterThan(await scoreOf(noise(64, 64)));
  });

  it('stays in its range, and in its direction', async () => {
    for (const direction of ['compressible', 'incompressible'] as const) {
      const { range, version } = make({ direction });
      const score = await scoreOf(flat(1, 1, [0, 0, 0]), { direction });
      expect(score).toBeGreaterThanOrEqual(range[0]);
      expect(score).toBeLessThanOrEqual(range[1]);
      expect(version).toContain(direction);
    }
  });

  it.each([
    ['no picture', undefined, 'has no pixels'],
    ['a picture without a row', { width: 4, height: 0, data: new Uint8Array(0) }, '4 × 0 has 0 bytes'],
    ['RGBA', { width: 2, height: 2, data: new Uint8Array(16) }, '2 × 2 has 16 bytes'],
  ])('refuses %s', async (_, pixels, message) => {
    await expect(make().score([rollout(pixels)], { signal })).rejects.toMatchObject({
      code: 'GVU_REWARD_INPUT',
      message: expect.stringContaining(message),
    });
  });

  it('ends with an abort', async () => {
    await expect(make().score([rollout(noise(8, 8))], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});
