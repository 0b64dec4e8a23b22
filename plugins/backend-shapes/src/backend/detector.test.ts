import { randomStream } from '@gvu/core';
import type { Rollout } from '@gvu/rewards';
import { describe, expect, it } from 'vitest';
import { categories, createCatalogue, defineWorld, renderScene, sampleScene } from '../world/index.ts';
import { bagOfWordsReward } from './bag-of-words.ts';
import { detectorReward } from './detector.ts';
import { fromPlanes } from './planes.ts';
import { shapesPrompts } from './prompts.ts';

const world = defineWorld();
const catalogue = createCatalogue(world);
const source = shapesPrompts({ world, weights: { single_object: 1 } });
const stream = randomStream(2, 'test/detector');
const { signal } = new AbortController();
const address = { step: 0, prompt: 0, sample: 0 };
const detector = detectorReward(world);
const bag = bagOfWordsReward(world);

/** A prompt beside an image of another one. */
function shown(prompt: string, picture = prompt, seed = 0): Rollout & { pixels: NonNullable<Rollout['pixels']> } {
  const entry = source.heldOut({ seed: 1, perTag: 1e6 }).find((held) => held.prompt === prompt);
  const { metadata } = catalogue.find(prompt);
  const scene = sampleScene(world, catalogue.find(picture).metadata, { address: stream.at(seed, 0) });
  const pixels = fromPlanes(renderScene(world, scene, stream.at(seed, 1)));
  return { prompt, address, metadata: entry?.metadata ?? JSON.parse(JSON.stringify(metadata)), pixels };
}

describe('detector', () => {
  it('rewards images of what was asked for, and no others, and says why', async () => {
    const rollouts = [
      shown('a photo of a red circle and a blue square'),
      shown('a photo of a red circle and a blue square', 'a photo of a blue circle and a red square'),
      shown('a photo of three hearts', 'a photo of two hearts'),
    ];
    const { values, trace } = await detector.score(rollouts, { signal });
    expect(values).toEqual([1, 0, 0]);
    expect(trace?.[0]).toEqual([]);
    expect(trace?.[1]).toEqual([expect.stringContaining('red of circle'), expect.stringContaining('blue of square')]);
    expect(trace?.[2]).toEqual([expect.stringContaining('at least 3 of heart')]);
  });

  it('understands the metadata of every category', async () => {
    const rollouts = categories.map((category, i) => {
      const [entry] = catalogue.select(category, 'held-out').slice(i);
      return shown(entry?.metadata.prompt ?? '', entry?.metadata.prompt, i);
    });
    const { values } = await detector.score(rollouts, { signal });
    expect(values).toEqual(categories.map(() => 1));
  });

  it('cannot judge without metadata', async () => {
    const { metadata: _, ...rollout } = shown('a photo of a circle');
    const { values, trace } = await detector.score([rollout], { signal });
    expect(values).toEqual([Number.NaN]);
    expect(trace).toEqual([['The prompt has no metadata.']]);
  });

  it.each([
    ['of a class of another benchmark', { include: [{ class: 'bench', count: 1 }] }],
    ['without objects', { include: [] }],
    ['with a colour that the world does not have', { include: [{ class: 'circle', count: 1, color: 'purple' }] }],
    ['with half a relation', { include: [{ class: 'circle', count: 1, position: ['left of'] }] }],
    ['that are none', null],
    ['that are a text', 'a circle'],
  ])('refuses metadata %s', async (_, metadata) => {
    await expect(detector.score([{ ...shown('a photo of a circle'), metadata }], { signal })).rejects.toThrow(
      expect.objectContaining({
        code: 'GVU_CONFIG_INVALID',
        message: expect.stringContaining('"a photo of a circle"'),
      }),
    );
  });

  it('refuses images of another size, and none, and hears an abort', async () => {
    const rollout = shown('a photo of a circle');
    const { pixels, ...rest } = rollout;
    for (const reward of [detector, bag]) {
      await expect(reward.score([{ ...rest, pixels: { ...pixels, width: 32 } }], { signal })).rejects.toThrow(
        expect.objectContaining({ code: 'GVU_MODEL_IMAGE' }),
      );
      await expect(reward.score([rest], { signal })).rejects.toThrow(
        expect.objectContaining({ code: 'GVU_REWARD_INPUT' }),
      );
      await expect(reward.score([rollout], { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    }
  });

  it('knows only the colours of its world, and has another version in another', async () => {
    const fewer = detectorReward(defineWorld({ colors: ['red', 'yellow', 'green', 'blue'] }));
    const rollout = shown('a photo of a pink circle');
    expect((await detector.score([rollout], { signal })).values).toEqual([1]);
    await expect(fewer.score([rollout], { signal })).rejects.toThrow('pink');
    expect(fewer.version).not.toBe(detector.version);
  });
});

describe('bag-of-words', () => {
  const score = async (prompt: string, picture: string) =>
    (await bag.score([shown(prompt, picture)], { signal })).values[0];

  it('counts the content words that are true of the image somewhere', async () => {
    const { values, trace } = await bag.score(
      [
        shown('a photo of a red circle and a blue square'),
        shown('a photo of a red circle and a blue square', 'a photo of a red circle and a green heart'),
        shown('a photo of three hearts', 'a photo of two hearts'),
      ],
      { signal },
    );
    expect(values).toEqual([1, 1 / 2, 1 / 2]);
    expect(trace).toEqual([{ missing: [] }, { missing: ['blue', 'square'] }, { missing: ['three'] }]);
  });

  it.each([
    ['which colour is whose', 'a photo of a red circle and a blue square', 'a photo of a blue circle and a red square'],
    ['which number is whose', 'a photo of two circles and one heart', 'a photo of one circle and two hearts'],
    ['where things are', 'a photo of a circle left of a square', 'a photo of a circle right of a square'],
  ])('does not see %s', async (_, prompt, picture) => {
    expect(await score(prompt, picture)).toBe(1);
    expect((await detector.score([shown(prompt, picture)], { signal })).values).toEqual([0]);
  });

  it('cannot judge a prompt without content words', async () => {
    const rollout = { ...shown('a photo of a circle'), prompt: 'a photo of something' };
    expect((await bag.score([rollout], { signal })).values).toEqual([Number.NaN]);
  });
});
