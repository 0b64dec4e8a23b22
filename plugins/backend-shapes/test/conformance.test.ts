/** The conformance kits of plugins and of backends, the latter on a model of a few thousand random weights. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Runtime } from '@gvu/onnx';
import { backendConformance, pluginConformance, testConformance } from '@gvu/testing';
import * as vitest from 'vitest';
import { createShapesBackend } from '../src/backend/backend.ts';
import { backendConfig } from '../src/backend/options.ts';
import { writeModel } from '../src/model/weights.ts';
import { tinyConfig, tinyValues } from './tiny-model.ts';

const runtime = await Runtime.create({ threads: 1, cacheLimit: 32 });
const folder = await mkdtemp(join(tmpdir(), 'gvu-shapes-conformance-'));
await writeModel(join(folder, 'model'), tinyConfig, tinyValues());
vitest.afterAll(async () => {
  await runtime.dispose();
  await rm(folder, { recursive: true });
});

const directory = join(import.meta.dirname, '..');
testConformance(vitest, 'plugin @gvu/backend-shapes', pluginConformance({ directory }));
testConformance(
  vitest,
  'backend shapes',
  backendConformance({
    runtime,
    create: () =>
      createShapesBackend(backendConfig.parse({ model: join(folder, 'model') }, { source: 'test' }), { runtime }),
    prompts: [
      'a photo of a red circle',
      'a photo of two blue circles',
      'a photo of a green square left of a red circle',
    ],
    refusedTexts: ['a photo of a zeppelin'],
  }),
);
