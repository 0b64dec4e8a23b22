/**
 * The towers, the preparation of pictures and the tokens of texts against transformers 5.18 (CLIP, SigLIP) and open_clip 3.3, recorded
 * on small random models by `tools/fixtures/clip_tiny.py`.
 */

import { readModelJson } from '@gvu/models';
import { Runtime } from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clipTiny, fixture, furthest } from '../../../test/fixtures.ts';
import { clipNormalisation, encoderConfig, normalisationOf } from './config.ts';
import { openEncoder } from './open-encoder.ts';
import { type Fitting, preparePicture } from './prepare-picture.ts';
import { openTexts } from './texts.ts';

const { signal } = new AbortController();
let runtime: Runtime;
let tiny: Awaited<ReturnType<typeof clipTiny>>;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
  tiny = await clipTiny();
});
afterAll(() => runtime.dispose());

interface Case {
  readonly model: string;
  readonly fitting: Fitting;
  readonly pixels: string;
  readonly weights?: string;
}

const cases: readonly Case[] = [
  { model: 'clip', fitting: 'crop-transformers', pixels: 'clip.pixel_values' },
  { model: 'siglip', fitting: 'squeeze', pixels: 'siglip.pixel_values' },
  { model: 'open-clip', fitting: 'fit', pixels: 'hps.pixel_values', weights: 'HPS_v2_compressed.pt' },
];

describe.each(cases)('$model', ({ model, fitting, pixels, weights }) => {
  it('is shown the same pixels', async () => {
    const isPlain = model !== 'open-clip';
    const normalisation = isPlain
      ? normalisationOf(
          await readModelJson(fixture('clip-tiny', model), 'preprocessor_config.json'),
          encoderConfig(await readModelJson(fixture('clip-tiny', model), 'config.json'), 'test'),
        )
      : clipNormalisation;
    for (const [i, picture] of tiny.pictures.entries())
      expect(
        furthest(preparePicture(picture, { fitting, side: 32, normalisation }), tiny.row(pixels, i)),
        `picture ${i}`,
      ).toBeLessThan(1e-5);
  });

  it('embeds pictures and texts as its reference does', async () => {
    const encoder = await openEncoder(fixture('clip-tiny', model), { runtime, fitting, weights });
    const [images, texts] = [
      await encoder.images(tiny.pictures, { signal }),
      await encoder.texts(tiny.texts, { signal }),
    ];
    for (const [i, embedding] of images.entries())
      expect(furthest(embedding, tiny.row(`${model}.image_embeds`, i)), `picture ${i}`).toBeLessThan(2e-6);
    for (const [i, embedding] of texts.entries())
      expect(furthest(embedding, tiny.row(`${model}.text_embeds`, i)), tiny.texts[i]).toBeLessThan(2e-6);
    const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, k) => sum + value * (b[k] ?? 0), 0);
    if (model === 'open-clip') expect(encoder.scale).toBeCloseTo(tiny.numbers('open-clip.logit_scale')[0] ?? 0, 4);
    else {
      const logits = images.flatMap((image) => texts.map((text) => encoder.scale * dot(image, text) + encoder.bias));
      expect(furthest(logits, tiny.numbers(`${model}.logits_per_image`))).toBeLessThan(2e-5);
    }
  });
});

describe.each(['clip', 'siglip'])('%s as one ONNX file, exported by PyTorch', (model) => {
  const open = (weights: string) =>
    openEncoder(fixture('onnx-judges', model), {
      runtime,
      fitting: model === 'clip' ? 'crop-transformers' : 'squeeze',
      weights,
    });

  it('embeds as the model that it was exported from, and finds the scale and bias of its logits', async () => {
    const encoder = await open('onnx/model.onnx');
    const images = await encoder.images(tiny.pictures, { signal });
    const texts = await encoder.texts(tiny.texts, { signal });
    for (const [i, embedding] of images.entries())
      expect(furthest(embedding, tiny.row(`${model}.image_embeds`, i)), `picture ${i}`).toBeLessThan(2e-6);
    for (const [i, embedding] of texts.entries())
      expect(furthest(embedding, tiny.row(`${model}.text_embeds`, i)), tiny.texts[i]).toBeLessThan(2e-6);
    const own = await openEncoder(fixture('clip-tiny', model), { runtime, fitting: 'squeeze' });
    expect(Math.abs(encoder.scale / own.scale - 1)).toBeLessThan(1e-4);
    expect(encoder.bias).toBeCloseTo(own.bias, 3);
    expect(encoder.version).toMatch(/^onnx [0-9a-f]{16}$/);
  });

  it('refuses a file of another form, of another place, or none', async () => {
    await expect(open('../detector/model.onnx')).rejects.toThrow(/GVU_/);
    await expect(open('onnx/none.onnx')).rejects.toThrow(/GVU_MODEL_FILE/);
  });
});

it.each(['clip', 'siglip'])('reads texts as the tokenizer of %s does, cut and filled up', async (model) => {
  const folder = fixture('clip-tiny', model);
  const tokenise = await openTexts(folder, encoderConfig(await readModelJson(folder, 'config.json'), 'test'));
  for (const [i, text] of tiny.texts.entries()) {
    const { ids, end } = tokenise(text);
    expect([...ids].map(Number), text).toEqual(tiny.row(`${model}.input_ids`, i));
    if (model === 'clip') expect(end + 1).toBe(tiny.numbers('clip.text_lengths')[i]);
  }
  // Control tokens are taken for what they say, or refused: they never end a text.
  if (model === 'clip') expect(() => tokenise('a cube <|endoftext|> a ball')).toThrow(/GVU_MODEL_TEXT/);
  else expect(tokenise('A cube </s>!')).toEqual(tokenise('a cube s'));
});
