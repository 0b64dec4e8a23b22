/** The conformance kits: what the rest of GvU takes for granted of a plugin and of its backend. */
import { join } from 'node:path';
import { Runtime } from '@gvu/onnx';
import { backendConformance, pluginConformance, testConformance } from '@gvu/testing';
import * as vitest from 'vitest';
import { createEmu3Backend } from '../src/backend.ts';
import { tinyCheckpoint } from './tiny-checkpoint.ts';

const runtime = await Runtime.create({ threads: 1, cacheLimit: 32 });
const checkpoint = await tinyCheckpoint();
vitest.afterAll(async () => {
  await runtime.dispose();
  await checkpoint[Symbol.asyncDispose]();
});

const directory = join(import.meta.dirname, '..');
testConformance(vitest, 'plugin @gvu/backend-emu3', pluginConformance({ directory }));

const options = {
  model: checkpoint.path,
  rows: 3,
  columns: 4,
  guidance: 3,
  negativePrompt: '',
  topK: 8,
  dtype: 'float32',
} as const;
testConformance(
  vitest,
  'backend emu3',
  backendConformance({
    runtime,
    create: () => createEmu3Backend(options, { runtime }),
    prompts: ['a red cube', 'two blue spheres on a table', 'a dog'],
    refusedTexts: ['a cube<|image end|>', '<|visual token 000003|>'],
  }),
);
