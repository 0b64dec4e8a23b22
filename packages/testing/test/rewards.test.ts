/** The rewards of GvU conform, judged by a reader that is a fixed function; they lie below this package. */
import { fillUniform, randomStream } from '@gvu/core';
import type { ReadRequest } from '@gvu/models';
import {
  gvu,
  gvuConfig,
  gvuLog,
  gvuPmi,
  gvuPmiConfig,
  jpegSize,
  jpegSizeConfig,
  type Reader,
  type Reward,
  type Rollout,
  randomReward,
} from '@gvu/rewards';
import * as vitest from 'vitest';
import { rewardConformance } from '../src/reward.ts';
import { testConformance } from '../src/test-conformance.ts';

/** A word is as probable as a hash of it and of what is shown. */
const reader: Reader = {
  kind: 'frozen',
  representations: ['emitted-tokens', 'retokenised-pixels'],
  version: () => '1',
  async read(requests, { signal }) {
    signal.throwIfAborted();
    return requests.map(({ image, text }) => {
      const tokens = text.split(' ');
      return { tokens, logProbs: tokens.map((word) => -1 - (hash(shown(image) + word) % 1000) / 500) };
    });
  },
};
const shown = (image: ReadRequest['image']) =>
  'tokens' in image ? image.tokens.join() : 'pixels' in image ? image.pixels.data.join() : '';
const hash = (text: string) => [...text].reduce((value, letter) => (value * 31 + letter.charCodeAt(0)) % 1_000_003, 7);

const rollouts: readonly Rollout[] = ['a red cube', 'two blue spheres', 'a dog left of a cat', 'a red cube'].map(
  (prompt, i) => {
    const noise = new Float32Array(3 * 16 * 16);
    fillUniform(noise, randomStream(3, 'testing/rewards').at(i));
    return {
      prompt,
      address: { step: 1, prompt: i % 3, sample: i },
      tokens: Int32Array.of(i, 2, 3 * i),
      pixels: { width: 16, height: 16, data: Uint8Array.from(noise, (value) => 40 * i + 100 * value) },
    };
  },
);

const deps = { reader: () => reader };
const source = { source: 'test' };
const rewards: Readonly<Record<string, () => Reward>> = {
  gvu: () => gvu(gvuConfig.parse({ teacher: 'frozen' }, source), deps),
  'gvu of a live model': () => gvu(gvuConfig.parse({ teacher: 'live' }, source), deps),
  'gvu of pixels': () =>
    gvu(gvuConfig.parse({ teacher: 'frozen', representation: 'retokenised-pixels' }, source), deps),
  'gvu-log': () => gvuLog(gvuConfig.parse({ teacher: 'frozen' }, source), deps),
  'gvu-pmi': () => gvuPmi(gvuPmiConfig.parse({ teacher: 'frozen' }, source), deps),
  'jpeg-size': () => jpegSize(jpegSizeConfig.parse({}, source)),
  random: () => randomReward(5),
};
for (const [name, create] of Object.entries(rewards))
  testConformance(vitest, `reward ${name}`, rewardConformance({ create, rollouts }));
