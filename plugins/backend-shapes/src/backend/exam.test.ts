import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '@gvu/models';
import { flatSize, loraLayout, Runtime } from '@gvu/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tinyConfig, tinyValues } from '../../test/tiny-model.ts';
import { openModel, writeModel } from '../model/weights.ts';
import { modelReader, readingScores } from '../pretrain/evaluate-reading.ts';
import { createCatalogue } from '../world/index.ts';
import { createShapesBackend } from './backend.ts';
import { shapesExam } from './exam.ts';

const { world } = tinyConfig;
const exam = shapesExam(world);
let folder: string;
let runtime: Runtime;
let backend: Backend;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-shapes-exam-'));
  await writeModel(folder, tinyConfig, tinyValues());
  runtime = await Runtime.create({ threads: 1 });
  backend = await createShapesBackend({ model: folder }, { runtime });
});
afterAll(async () => {
  await runtime.dispose();
  await rm(folder, { recursive: true });
});

it('counts what the evaluation of pre-training counts', async () => {
  const scores = await exam.take(backend, { seed: 2, tests: 9 });
  const model = await openModel(runtime, folder);
  const options = { seed: 2, split: 'held-out', tests: 9 } as const;
  const expected = await readingScores(modelReader(model), { world, catalogue: createCatalogue(world) }, options);
  expect(scores.retrieval).toEqual(expected.retrieval);
  for (const [kind, score] of Object.entries(expected.swaps)) expect(scores[`swap/${kind}`]).toEqual(score);
  for (const [kind, score] of Object.entries(expected.questions)) expect(scores[`question/${kind}`]).toEqual(score);
  expect(Object.keys(scores)).toHaveLength(1 + 3 + Object.keys(expected.questions).length);
});

it('follows the seed and the adapter, and hears an abort', async () => {
  const plain = await exam.take(backend, { seed: 2, tests: 12 });
  expect(await exam.take(backend, { seed: 2, tests: 12 })).toEqual(plain);
  expect(await exam.take(backend, { seed: 3, tests: 12 })).not.toEqual(plain);
  const options = { rank: 2, alpha: 4, targets: backend.defaultTargets };
  const size = flatSize(loraLayout(backend.modules, options));
  const values = Float32Array.from({ length: size }, (_, i) => 0.3 * Math.sin(7 * i));
  const variables = await runtime.variables({ adapter: { dtype: 'float32', shape: [size], data: values } });
  expect(await exam.take(backend, { seed: 2, tests: 12, adapter: { options, variables } })).not.toEqual(plain);
  await expect(exam.take(backend, { seed: 2, tests: 12, signal: AbortSignal.abort() })).rejects.toThrow(
    expect.objectContaining({ code: 'GVU_RUNTIME_ABORTED' }),
  );
});
