/** The algorithms of GvU conform; they lie below this package, so that their own tests cannot import the kit. */
import { Runtime } from '@gvu/onnx';
import {
  type Algorithm,
  cispo,
  cispoConfig,
  grpo,
  grpoConfig,
  reinforcePlusPlus,
  reinforcePlusPlusConfig,
  rloo,
  rlooConfig,
  sapo,
  sapoConfig,
  vespo,
  vespoConfig,
} from '@gvu/rl';
import * as vitest from 'vitest';
import { algorithmConformance } from '../src/algorithm.ts';
import { testConformance } from '../src/test-conformance.ts';

const runtime = await Runtime.create({ threads: 1 });
vitest.afterAll(() => runtime.dispose());

const source = { source: 'test' };
const algorithms: Readonly<Record<string, () => Algorithm>> = {
  grpo: () => grpo(grpoConfig.parse({}, source)),
  'grpo with all its parts': () =>
    grpo(
      grpoConfig.parse({ beta: 0.1, reduction: 'dapo', tokenWeights: 'similarity', topEntropyQuantile: 0.5 }, source),
    ),
  cispo: () => cispo(cispoConfig.parse({}, source)),
  sapo: () => sapo(sapoConfig.parse({}, source)),
  vespo: () => vespo(vespoConfig.parse({}, source)),
  rloo: () => rloo(rlooConfig.parse({}, source)),
  'reinforce++': () => reinforcePlusPlus(reinforcePlusPlusConfig.parse({}, source)),
};
for (const [name, create] of Object.entries(algorithms))
  testConformance(vitest, `algorithm ${name}`, algorithmConformance({ runtime, create }));
