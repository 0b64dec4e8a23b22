/** The conformance kits of plugins and of backends, the latter on the tiny checkpoint. */
import { join } from 'node:path';
import { Runtime } from '@gvu/onnx';
import { backendConformance, pluginConformance, testConformance } from '@gvu/testing';
import * as vitest from 'vitest';
import { createJanusBackend } from '../src/backend.ts';
import { backendConfig } from '../src/options.ts';
import { fixture } from './fixtures.ts';

const runtime = await Runtime.create({ threads: 1, cacheLimit: 32 });
vitest.afterAll(() => runtime.dispose());

const directory = join(import.meta.dirname, '..');
testConformance(vitest, 'plugin @gvu/backend-janus', pluginConformance({ directory }));
testConformance(
  vitest,
  'backend janus',
  backendConformance({
    runtime,
    create: () =>
      createJanusBackend(backendConfig.parse({ model: fixture('janus-tiny') }, { source: 'test' }), { runtime }),
    prompts: ['a red cube', 'two blue spheres on a wooden table', 'a dog'],
    refusedTexts: ['a cat<end_of_image>'],
  }),
);
