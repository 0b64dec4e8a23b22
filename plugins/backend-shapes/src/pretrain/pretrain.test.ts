import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Runtime } from '@gvu/onnx';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tinySizes } from '../../test/tiny-model.ts';
import { openModel } from '../model/weights.ts';
import { equalWeights } from '../world/index.ts';
import { type PretrainOptions, pretrain } from './pretrain.ts';
import { reportText } from './report.ts';

const options: PretrainOptions = {
  seed: 7,
  config: tinySizes,
  tokenizer: { steps: 30, batch: 2, learningRate: 3e-3 },
  weak: { steps: 30, drawing: 2, reading: 2, matrixRate: 0.02, learningRate: 3e-3, weights: equalWeights },
  regular: { steps: 24, drawing: 3, reading: 2, matrixRate: 0.02, learningRate: 3e-3, weights: equalWeights },
  evaluation: { perCategory: 1, tests: 3, bestOf: 2 },
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-pretrain-'));
});
afterEach(() => rm(folder, { recursive: true }));

const bytesOf = (name: string, base: string) => readFile(join(folder, name, base, 'model.safetensors'));

describe('pretrain', () => {
  it('ends with the same bits after interruptions, and refuses to go on with another run', async () => {
    await using runtime = await Runtime.create({ threads: 1 });
    const { report: whole, drawings } = await pretrain(runtime, options, { folder: join(folder, 'whole') });

    // Stopped in the middle of each stage, and of two points of the curve.
    for (const [stage, at] of [
      ['tokenizer', 20],
      ['weak', 20],
      ['regular', 20],
      ['evaluation', 2],
    ] as const) {
      const stop = new AbortController();
      const run = pretrain(runtime, options, {
        folder: join(folder, 'parts'),
        signal: stop.signal,
        onProgress: (progress) => {
          if (progress.stage === stage && progress.step === at) stop.abort(new Error('stopped'));
        },
      });
      await expect(run).rejects.toThrow('stopped');
    }
    const other = { ...options, seed: 8 };
    await expect(pretrain(runtime, other, { folder: join(folder, 'parts') })).rejects.toThrow(
      expect.objectContaining({ code: 'GVU_SHAPES_RESUME' }),
    );
    const seen: string[] = [];
    const { report: resumed } = await pretrain(runtime, options, {
      folder: join(folder, 'parts'),
      onProgress: ({ stage, step, steps }) => seen.push(`${stage} ${step}/${steps}`),
    });
    // No step of a stage that was over is made again; the evaluation is told of part by part.
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7].map((part) => `evaluation ${part}/7`));
    const prompts = drawings.regular.map(({ entry }) => entry.metadata.prompt);
    expect(new Set(prompts).size).toBe(11);
    expect(drawings.weak.map(({ entry }) => entry.metadata.prompt)).toEqual(prompts);

    for (const base of ['regular', 'weak']) expect(await bytesOf('parts', base)).toEqual(await bytesOf('whole', base));
    expect(await bytesOf('whole', 'weak')).not.toEqual(await bytesOf('whole', 'regular'));
    for (const base of ['weak', 'regular'] as const) {
      const { training, ...scores } = resumed[base];
      expect(whole[base]).toMatchObject(scores);
      expect(whole[base].training.curve).toEqual(training.curve);
    }
    expect(resumed.tokenizer.curve).toEqual(whole.tokenizer.curve);

    const points = whole.weak.training.curve;
    expect(points.map(({ step }) => step)).toEqual([20, 30]);
    expect(points[1]?.metrics.drawing).toBeLessThan(points[0]?.metrics.drawing ?? 0);
    expect(points[1]?.metrics.reading).toBeLessThan(points[0]?.metrics.reading ?? 0);
    expect(Object.keys(whole.regular.categories)).toHaveLength(11);
    expect(whole.reconstruction.n).toBe(3);
    expect(JSON.parse(await readFile(join(folder, 'parts', 'report.json'), 'utf8'))).toMatchObject({
      options: { seed: 7 },
    });
    expect(reportText(whole)).toMatch(/regular: [\d.]+ % of held-out prompts/);
    const model = await openModel(runtime, join(folder, 'whole', 'regular'));
    expect(model.config.backbone).toEqual(tinySizes.backbone);
  }, 240_000);
});
