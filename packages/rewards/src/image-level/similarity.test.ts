/** Rewards on recorded models: their formulas from the reference's own logits, their ranges, texts and refusals. */
import type { Pixels } from '@gvu/models';
import { Runtime } from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clipTiny, fixture, furthest } from '../../test/fixtures.ts';
import type { Reward, Rollout } from '../reward.ts';
import { aesthetic, aestheticConfig } from './aesthetic.ts';
import {
  clipScore,
  clipScoreConfig,
  hpsV2,
  hpsV2Config,
  pickScore,
  pickScoreConfig,
  siglip,
  siglipConfig,
} from './similarity.ts';

const { signal } = new AbortController();
const model = (name: string) => fixture('clip-tiny', name);
const parsed = { source: 'test' };
let runtime: Runtime;
let tiny: Awaited<ReturnType<typeof clipTiny>>;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
  tiny = await clipTiny();
});
afterAll(() => runtime.dispose());

const rollout = (prompt: string, pixels?: Pixels): Rollout => ({
  prompt,
  address: { step: 0, prompt: 0, sample: 0 },
  ...(pixels && { pixels }),
});

/** Every picture with every text, pictures outermost, as the references have their logits. */
async function table(reward: Reward, { from = 0, prefix = '' } = {}): Promise<readonly number[]> {
  const texts = tiny.texts.slice(from, prefix === '' ? undefined : from + 1).map((text) => text.slice(prefix.length));
  const { values } = await reward.score(
    tiny.pictures.flatMap((picture) => texts.map((text) => rollout(text, picture))),
    { signal },
  );
  for (const value of values) {
    expect(value).toBeGreaterThanOrEqual(reward.range[0]);
    expect(value).toBeLessThanOrEqual(reward.range[1]);
  }
  return values;
}

/** Only square pictures and those whose margins can be halved are cut alike by torchvision and by transformers. */
const clipScale = Math.exp(2.6592);

describe('clip-score', () => {
  const make = (options: object) =>
    clipScore(clipScoreConfig.parse({ model: model('clip'), ...options }, parsed), { runtime });

  it('is 2.5 times the cosine with the prompt after "A photo depicts", and never below 0', async () => {
    const values = await table(await make({}), { prefix: 'A photo depicts ' });
    const cosines = [0, 1, 2, 3].map((i) => (tiny.row('clip.logits_per_image', i)[0] ?? 0) / clipScale);
    // Picture 2 is cut one row apart, as torchvision does it.
    for (const i of [0, 1, 3]) expect(values[i]).toBeCloseTo(2.5 * Math.max(cosines[i] ?? 0, 0), 5);
    expect(Math.abs((values[2] ?? 0) - 2.5 * (cosines[2] ?? 0))).toBeGreaterThan(1e-3);
    expect((await make({})).range).toEqual([0, 2.5]);
  });

  it('is the cosine, or the logit divided by 30, without a prefix', async () => {
    const logits = tiny.numbers('clip.logits_per_image').slice(0, 12);
    const [cosine, logit] = [await table(await make({ form: 'cosine' })), await table(await make({ form: 'logit' }))];
    expect(
      furthest(
        cosine.slice(0, 12),
        logits.map((value) => value / clipScale),
      ),
    ).toBeLessThan(1e-5);
    expect(
      furthest(
        logit.slice(0, 12),
        logits.map((value) => value / 30),
      ),
    ).toBeLessThan(1e-5);
    expect((await make({ form: 'cosine' })).version).not.toBe((await make({ form: 'logit' })).version);
  });

  it('does not depend on what else is in the batch', async () => {
    const reward = await make({ form: 'cosine' });
    const all = await table(reward);
    const picture = tiny.pictures[3];
    const { values } = await reward.score([rollout(tiny.texts[1] ?? '', picture)], { signal });
    expect(values[0]).toBe(all[3 * tiny.texts.length + 1]);
  });

  it('refuses what has no picture, a model of another kind, a folder without one, and no runtime', async () => {
    const reward = await make({});
    await expect(reward.score([rollout('a cube')], { signal })).rejects.toThrow(/GVU_REWARD_INPUT/);
    await expect(make({ model: model('siglip') })).rejects.toThrow(/GVU_REWARD_MODEL/);
    await expect(make({ model: model('aesthetic') })).rejects.toThrow(/GVU_/);
    await expect(make({ weights: '../siglip/model.safetensors' })).rejects.toThrow(/GVU_/);
    const options = clipScoreConfig.parse({ model: model('clip') }, parsed);
    await expect(clipScore(options, {})).rejects.toThrow(/GVU_REWARD_RUNTIME/);
  });

  it('ends with an abort', async () => {
    const reward = await make({});
    await expect(reward.score([rollout('a', tiny.pictures[0])], { signal: AbortSignal.abort() })).rejects.toThrow();
  });
});

describe('siglip', () => {
  const make = (options: object) =>
    siglip(siglipConfig.parse({ model: model('siglip'), ...options }, parsed), { runtime });

  it('is the logit of the reference, or its sigmoid', async () => {
    const logits = tiny.numbers('siglip.logits_per_image');
    expect(furthest(await table(await make({})), logits)).toBeLessThan(2e-5);
    const probabilities = logits.map((logit) => 1 / (1 + Math.exp(-logit)));
    expect(furthest(await table(await make({ form: 'probability' })), probabilities)).toBeLessThan(1e-6);
  });
});

it('pick-score is the logit of the reference, divided by 26', async () => {
  const options = pickScoreConfig.parse({ model: model('clip') }, parsed);
  const values = await table(await pickScore(options, { runtime }));
  expect(
    furthest(
      values,
      tiny.numbers('clip.logits_per_image').map((logit) => logit / 26),
    ),
  ).toBeLessThan(2e-6);
});

it('hps-v2 is the cosine, from the file that the release publishes', async () => {
  const options = hpsV2Config.parse({ model: model('open-clip'), weights: 'HPS_v2_compressed.pt' }, parsed);
  const values = await table(await hpsV2(options, { runtime }));
  const expected = [0, 1, 2, 3].flatMap((i) =>
    tiny.texts.map((_, j) => {
      const text = tiny.row('open-clip.text_embeds', j);
      return tiny.row('open-clip.image_embeds', i).reduce((sum, value, k) => sum + value * (text[k] ?? 0), 0);
    }),
  );
  expect(furthest(values, expected)).toBeLessThan(3e-6);
});

describe('aesthetic', () => {
  const make = (options: object) =>
    aesthetic(
      aestheticConfig.parse(
        { model: model('clip'), head: fixture('clip-tiny', 'aesthetic', 'head.pth'), ...options },
        parsed,
      ),
      {
        runtime,
      },
    );

  it('is what five linear layers make of the embedding, whatever the prompt', async () => {
    const { values } = await (await make({})).score(
      tiny.pictures.map((picture) => rollout('anything', picture)),
      { signal },
    );
    const reference = tiny.numbers('aesthetic.scores');
    for (const i of [0, 1, 3]) expect(values[i]).toBeCloseTo(reference[i] ?? 0, 5);
    const { values: tenths } = await (await make({ divisor: 10 })).score([rollout('', tiny.pictures[0])], { signal });
    expect(tenths[0]).toBeCloseTo((reference[0] ?? 0) / 10, 6);
  });

  it('refuses a head that is none', async () => {
    await expect(make({ head: fixture('clip-tiny', 'clip', 'model.safetensors') })).rejects.toThrow(/GVU_REWARD_MODEL/);
  });
});
