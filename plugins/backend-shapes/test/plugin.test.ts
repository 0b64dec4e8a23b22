/** The package as a plugin: its manifest, its schemas of options, and each of its contributions at work with one small model. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PluginHost, randomStream, throwIfFailed } from '@gvu/core';
import { benchmarks, evaluate, judges, wordings } from '@gvu/evals';
import { backends, pretrainings } from '@gvu/models';
import { Runtime } from '@gvu/onnx';
import { rewards } from '@gvu/rewards';
import { exams, prompts } from '@gvu/rl';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backendConfig, benchmarkConfig, promptsConfig, recipeConfig, worldConfig } from '../src/backend/options.ts';
import { writeModel } from '../src/model/weights.ts';
import { defaultRecipe } from '../src/pretrain/pretrain.ts';
import { tinyConfig, tinySizes, tinyValues } from './tiny-model.ts';

const root = join(import.meta.dirname, '..');
// Write them anew with `vitest run plugins/backend-shapes/test/plugin.test.ts --update`.
it.each([
  ['backend', backendConfig],
  ['prompts', promptsConfig],
  ['world', worldConfig],
  ['recipe', recipeConfig],
  ['benchmark', benchmarkConfig],
])('publishes the schema of the options of %s', async (name, { schema }) => {
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(join(root, 'schema', `${name}.json`));
  const properties = typeof schema === 'object' ? Object.entries(schema.properties ?? {}) : [];
  for (const [key, property] of properties) expect(property, key).toHaveProperty('description');
});

it('has the recipe of the command line for a default', () => {
  expect(recipeConfig.parse({}, { source: 'Nothing' })).toEqual({ config: {}, ...defaultRecipe });
});

describe('contributes', () => {
  let folder: string;
  let runtime: Runtime;
  let host: PluginHost;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gvu-shapes-plugin-'));
    await writeModel(join(folder, 'model'), tinyConfig, tinyValues());
    runtime = await Runtime.create({ threads: 1 });
    host = new PluginHost({ projectDirectory: folder });
    host.registerContributionPoint(backends);
    host.registerContributionPoint(prompts);
    host.registerContributionPoint(rewards);
    host.registerContributionPoint(exams);
    host.registerContributionPoint(pretrainings);
    host.registerContributionPoint(benchmarks);
    host.registerContributionPoint(judges);
    host.registerContributionPoint(wordings);
    throwIfFailed(await host.load([root]));
  });
  afterAll(async () => {
    await host[Symbol.asyncDispose]();
    await runtime.dispose();
    await rm(folder, { recursive: true });
  });

  const model = () => join(folder, 'model');
  const { signal } = new AbortController();

  it('what works together: prompts that the backend draws and the rewards judge', async () => {
    const options = { model: model() };
    const backend = await host.create(backends, 'shapes', { options, deps: { runtime } });
    const source = await host.create(prompts, 'shapes', { options, deps: undefined });
    const stream = randomStream(5, 'test/plugin');
    const chosen = [0, 1, 2].map((i) => source.train(stream.at(i)));
    const drawn = await backend.draw(chosen.map(({ prompt }, i) => ({ prompt, randomness: stream.at(i, 1) })));
    const pictures = await backend.decode(drawn.map((drawing, i) => ({ ...drawing, randomness: stream.at(i, 1) })));
    const rollouts = chosen.map((prompt, sample) => {
      const pixels = pictures[sample];
      return { ...prompt, address: { step: 0, prompt: 0, sample }, ...(pixels && { pixels }) };
    });
    for (const id of ['detector', 'bag-of-words']) {
      const deps = {
        seed: 1,
        reader: () => {
          throw new Error('These rewards read nothing.');
        },
      };
      const reward = await host.create(rewards, id, { options, deps });
      const { values, trace } = await reward.score(rollouts, { signal });
      expect(reward.name).toBe(id);
      expect(values).toHaveLength(3);
      expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
      expect(trace).toHaveLength(3);
    }
  });

  it('an exam', async () => {
    const options = { model: model() };
    const backend = await host.create(backends, 'shapes', { options, deps: { runtime } });
    const exam = await host.create(exams, 'shapes', { options, deps: undefined });
    const scores = await exam.take(backend, { seed: 3, tests: 4 });
    expect(scores).toMatchObject({ retrieval: { n: 4 }, 'swap/count': { n: 4 }, 'swap/color': { n: 4 } });
    const ofQuestions = Object.entries(scores).filter(([kind]) => kind.startsWith('question/'));
    expect(ofQuestions.reduce((sum, [, { n }]) => sum + n, 0)).toBe(4);
  });

  it('benchmarks and their judge, which work with the backend', async () => {
    const options = { model: model() };
    await using backend = await host.create(backends, 'shapes', { options, deps: { runtime } });
    const encodePng = () => new Uint8Array();
    const deps = { backend, adapter: undefined, runtime, encodePng };
    const judge = await host.create(judges, 'shapes', { options, deps });
    const unused = () => Promise.reject(new Error('Nothing is written or read.'));
    for (const [id, tasks] of [
      ['shapes-geneval', 6],
      ['shapes-geneval-pp', 7],
    ] as const) {
      const benchmark = await host.create(benchmarks, id, { options: { ...options, perTask: 1 }, deps: undefined });
      const { result } = await evaluate(benchmark, {
        backend,
        judge,
        mode: 'official',
        seed: 1,
        writeImage: unused,
        readImage: unused,
      });
      expect(result).toMatchObject({ items: tasks, of: null, judge: { name: 'shapes' } });
      expect(result.summary?.rows).toHaveLength(tasks);
    }
  });

  it('a pre-training, which leaves models that the backend opens', async () => {
    const options = {
      seed: 3,
      config: tinySizes,
      tokenizer: { steps: 2, batch: 2 },
      weak: { steps: 2, drawing: 2, reading: 2, weights: { multi_count: 0 } },
      regular: { steps: 3, drawing: 2, reading: 2, weights: { multi_count: 0 } },
      evaluation: { perCategory: 1, tests: 2, bestOf: 1 },
    };
    const pretraining = await host.create(pretrainings, 'shapes', { options, deps: { runtime } });
    const stages = new Set<string>();
    const { models, report } = await pretraining.run({
      folder: join(folder, 'run'),
      onProgress: ({ stage }) => stages.add(stage),
    });
    expect([...stages]).toEqual(['tokenizer', 'weak', 'regular', 'evaluation']);
    expect(report).toContain('regular');
    const versions = await Promise.all(
      Object.values(models).map(async (path) => {
        const backend = await host.create(backends, 'shapes', { options: { model: path }, deps: { runtime } });
        return backend.version;
      }),
    );
    expect(new Set(versions).size).toBe(2);
  }, 120_000);

  it('nothing for wrong options or a model that is not there', async () => {
    await expect(
      host.create(backends, 'shapes', { options: { sampler: { topP: 0 }, mode: 1 }, deps: { runtime } }),
    ).rejects.toMatchObject({
      code: 'GVU_PLUGIN_OPTIONS_INVALID',
      details: { problems: [{ pointer: '/mode' }, { pointer: '/sampler/topP' }] },
    });
    await expect(
      host.create(prompts, 'shapes', { options: { model: join(folder, 'none') }, deps: undefined }),
    ).rejects.toThrow(/GVU_SHAPES_MODEL/);
  });
});
