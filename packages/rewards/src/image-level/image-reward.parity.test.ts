/** ImageReward against BLIP of transformers 5.18 and its BertTokenizer, recorded by `tools/fixtures/clip_tiny.py`. */
import { Runtime } from '@gvu/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { clipTiny, fixture } from '../../test/fixtures.ts';
import { imageReward, imageRewardConfig } from './image-reward.ts';

const { signal } = new AbortController();
let runtime: Runtime;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
});
afterAll(() => runtime.dispose());
const make = (options: object) =>
  imageReward(
    imageRewardConfig.parse({ model: fixture('clip-tiny', 'image-reward'), ...options }, { source: 'test' }),
    { runtime },
  );

it('scores each picture for each prompt as the reference does, long prompts cut at 35 tokens', async () => {
  const { pictures, texts, row } = await clipTiny();
  const reward = await make({});
  // Picture 2 is cut one row apart by torchvision, as in the release, and by transformers, as in the fixture.
  for (const i of [0, 1, 3]) {
    const pixels = pictures[i] ?? { width: 0, height: 0, data: new Uint8Array() };
    const rollouts = texts.map((prompt, sample) => ({ prompt, address: { step: 0, prompt: i, sample }, pixels }));
    const { values } = await reward.score(rollouts, { signal });
    for (const [j, value] of values.entries())
      expect(value, `${i} ${texts[j]}`).toBeCloseTo(row('image-reward.scores', i)[j] ?? 0, 4);
  }
});

it('refuses weights of something else, and a file that is not there', async () => {
  const model = fixture('clip-tiny', 'clip');
  await expect(make({ weights: 'other.pt' })).rejects.toThrow(/GVU_MODEL_FILE/);
  await expect(make({ model, weights: 'model.safetensors' })).rejects.toThrow(/GVU_/);
});
