import { describe, expect, it } from 'vitest';
import { tinyConfig } from '../../test/tiny-model.ts';
import { modelParameters, shapesConfig, tokenIds } from './config.ts';

describe('shapesConfig', () => {
  it('fills in every size', () => {
    expect(shapesConfig({ backbone: { layers: 2 } })).toMatchObject({
      tokenizer: { codes: 96, latent: 16 },
      backbone: { width: 128, layers: 2, heads: 4 },
      world: { noise: 5 },
    });
  });

  it('names every problem at once', () => {
    expect(() => shapesConfig({ tokenizer: { codes: 0 }, flow: { width: 1.5 }, colour: 'red' })).toThrow(
      expect.objectContaining({
        code: 'GVU_CONFIG_INVALID',
        message: expect.stringMatching(/codes[\s\S]*width[\s\S]*colour|colour[\s\S]*codes[\s\S]*width/),
      }),
    );
  });
});

it('has one vocabulary of words, the begin of an image, and codes', () => {
  const ids = tokenIds(tinyConfig);
  expect(ids.text).toBe(ids.words.size);
  expect([ids.beginImage, ids.firstCode, ids.size]).toEqual([ids.text, ids.text + 1, ids.text + 1 + 8]);
});

it('names every tensor once', () => {
  const names = modelParameters(tinyConfig).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
