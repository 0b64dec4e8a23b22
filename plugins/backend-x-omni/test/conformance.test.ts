/** The conformance kits of plugins and of backends, the latter on the tiny checkpoint with its image tokenizer. */
import { join } from 'node:path';
import { Runtime } from '@gvu/onnx';
import { backendConformance, pluginConformance, testConformance } from '@gvu/testing';
import * as vitest from 'vitest';
import { createXOmniBackend } from '../src/backend.ts';
import { backendConfig } from '../src/options.ts';
import { encoderFacts, tinyCheckpoint } from './tiny-checkpoint.ts';

const runtime = await Runtime.create({ threads: 1, cacheLimit: 32 });
const checkpoint = await tinyCheckpoint({ encoder: true });
const { patch } = await encoderFacts();
const options = backendConfig.parse(
  { model: checkpoint.path, imageSize: { width: 4 * patch, height: 3 * patch } },
  { source: 'test' },
);
vitest.afterAll(async () => {
  await runtime.dispose();
  await checkpoint[Symbol.asyncDispose]();
});

const directory = join(import.meta.dirname, '..');
testConformance(vitest, 'plugin @gvu/backend-x-omni', pluginConformance({ directory }));
testConformance(
  vitest,
  'backend x-omni',
  backendConformance({
    runtime,
    create: () => createXOmniBackend(options, { runtime }),
    prompts: ['a photo of a red cube', 'two blue spheres on a wooden table', 'a dog'],
    refusedTexts: ['a cube<|im_end|>', '<MM-Token-3>'],
  }),
);
