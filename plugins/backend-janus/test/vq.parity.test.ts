/** The VQ decoder against transformers, stage by stage, on a checkpoint of the decoder alone. */
import { checkWeights } from '@gvu/models';
import { type Checkpoint, constantData, openCheckpoint, Runtime, slice, type Target, type TensorData } from '@gvu/onnx';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type VqConfig, vqConfig } from '../src/checkpoint/config.ts';
import { decodeCodes, tokenCodes, vqDecoderParameters } from '../src/model/vq-decoder.ts';
import { expectClose, nodeOutput, runModules } from './agreement.ts';
import { expectedTensors, fixture, fixtureJson } from './fixtures.ts';

const name = 'janus-vq-tiny';
const targets: readonly Target[] = ['cpu', 'cuda', 'reference'];

let runtime: Runtime;
let checkpoint: Checkpoint;
let config: VqConfig;
let get: (key: string) => TensorData;
let has: (key: string) => boolean;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
  checkpoint = await openCheckpoint(fixture(name));
  config = vqConfig(fixtureJson<{ vq_config: unknown }>(name, 'config.json').vq_config);
  ({ get, has } = await expectedTensors(name));
  checkWeights(checkpoint, vqDecoderParameters(config));
});
afterAll(() => runtime.dispose());

describe.each(targets)('on the %s target', (target) => {
  it('codes and pixels', async () => {
    const found = await runModules({ runtime, checkpoint, target }, (modules) => {
      const codes = tokenCodes(modules, config, constantData(modules.graph, get('ids')));
      return { codes, pixels: decodeCodes(modules, config, codes) };
    });
    expectClose(found.codes, get('quantised_nchw'));
    expectClose(found.pixels, get('pixels_nchw'));
  });
});

it('every stage on the way', async () => {
  const network = 'model.vqmodel.decoder';
  const nodes: Record<string, string> = {
    'stage.conv_in': `${network}.conv_in/Conv`,
    'stage.after_mid': `${network}.mid.block_2/Add`,
    ...Object.fromEntries(
      config.multipliers.map((_, i) => [`stage.up${i}_last_block`, `${network}.up.${i}.block.${config.resBlocks}/Add`]),
    ),
  };
  // The reference keeps only the maps that are small, of the first image.
  const kept = Object.entries(nodes).filter(([stage]) => has(stage));
  const found = await runModules({ runtime, checkpoint }, (modules) => {
    const { graph } = modules;
    decodeCodes(modules, config, tokenCodes(modules, config, constantData(graph, get('ids'))));
    return {
      post_quant: nodeOutput(graph, 'model.vqmodel.post_quant_conv/Conv'),
      ...Object.fromEntries(
        kept.map(([stage, node]) => [stage, slice(nodeOutput(graph, node), 0, { start: 0, end: 1 })]),
      ),
    };
  });
  for (const stage of ['post_quant', ...kept.map(([stage]) => stage)]) expectClose(found[stage], get(stage));
});
