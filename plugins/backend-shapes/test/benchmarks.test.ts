/** GenEval's rules by `@gvu/evals` against the world's own judge, on scenes and on pixels. */
import { randomStream } from '@gvu/core';
import { expect, test } from 'vitest';
import { shapesGenEval, shapesGenEvalPlus, shapesJudge } from '../src/backend/benchmarks.ts';
import { fromPlanes } from '../src/backend/planes.ts';
import {
  createCatalogue,
  defineWorld,
  detectObjects,
  imageSide,
  judge as judgeOfWorld,
  renderScene,
  sampleScene,
} from '../src/world/index.ts';

const world = defineWorld();
const { signal } = new AbortController();

test.each([
  ['shapes-geneval', shapesGenEval({ world, perTask: 6 })],
  ['shapes-geneval-pp', shapesGenEvalPlus({ world, perTask: 6 })],
])('%s says of each image what the world says', async (_, benchmark) => {
  const heldOut = createCatalogue(world);
  const stream = randomStream(20_260_712, 'test/benchmark');
  const verdicts = { right: 0, wrong: 0 };
  const images = benchmark.items.flatMap((item, i) => {
    const { metadata, split } = heldOut.find(item.prompt);
    expect(split).toBe('held-out');
    // An image that shows what is asked for, and one of another prompt of the same task.
    const other = benchmark.items.filter(({ tag }) => tag === item.tag).at(-1);
    const scenes = [metadata, heldOut.find(other?.prompt ?? '').metadata].map((shown, sample) =>
      renderScene(world, sampleScene(world, shown, { address: stream.at(i, sample) }), stream.at(i, sample, 1)),
    );
    return scenes.map((planes, sample) => ({ item, sample, planes, metadata, pixels: fromPlanes(planes) }));
  });
  const scores = await benchmark.score(
    (async function* () {
      yield images;
    })(),
    { judge: shapesJudge(world), mode: 'official', signal },
  );
  for (const [i, { metadata, planes }] of images.entries()) {
    const { correct } = judgeOfWorld(metadata, detectObjects(world, planes));
    expect(scores.records[i], metadata.prompt).toMatchObject({
      correct: benchmark.name.endsWith('-pp') ? Number(correct) : correct,
    });
    verdicts[correct ? 'right' : 'wrong']++;
  }
  expect(verdicts.right).toBeGreaterThan(benchmark.items.length * 0.9);
  expect(verdicts.wrong).toBeGreaterThan(benchmark.items.length * 0.3);
});

test('the judge sees only what it was asked for, and refuses other sizes', async () => {
  const judge = shapesJudge(world);
  const { metadata } = createCatalogue(world).find('a photo of a red circle');
  const scene = sampleScene(world, metadata, { address: randomStream(1, 'test/scene').at(0) });
  const pixels = fromPlanes(renderScene(world, scene, randomStream(1, 'test/noise').at(0)));
  const ask = async (classes: readonly string[]) => await judge.detect?.([{ pixels, classes }], { signal });
  expect(await ask(['circle'])).toMatchObject([[{ class: 'circle', color: 'red' }]]);
  expect(await ask(['star'])).toEqual([[]]);
  const small = { width: imageSide / 2, height: imageSide / 2, data: new Uint8Array(3 * (imageSide / 2) ** 2) };
  await expect(judge.detect?.([{ pixels: small, classes: [] }], { signal })).rejects.toThrow(/GVU_MODEL_IMAGE/);
});
