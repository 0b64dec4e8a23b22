/**
 * Janus against transformers, from a checkpoint in its layout and from the same weights in that of DeepSeek's release: the tower and
 * its aligner, text logits, the parts of drawing, drawing under guidance, pixels, and reading the drawn picture.
 */
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constantData, Runtime, reshape, type Target, type TensorData, transpose } from '@gvu/onnx';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type JanusCheckpoint, openJanus } from '../src/checkpoint/open.ts';
import { embedImageTokens, imageCodes, imageLogits } from '../src/model/projectors.ts';
import { alignFeatures, visionFeatures } from '../src/model/siglip.ts';
import { decodeCodes, tokenCodes } from '../src/model/vq-decoder.ts';
import { expectClose, runModules } from './agreement.ts';
import { expectedTensors, fixture } from './fixtures.ts';
import { writeOriginalLayout } from './original-layout.ts';

const name = 'janus-tiny';
const targets: readonly Target[] = ['cpu', 'cuda', 'reference'];

let runtime: Runtime;
let folder: string;
let get: (key: string) => TensorData;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
  ({ get } = await expectedTensors(name));
  folder = await realpath(await mkdtemp(join(tmpdir(), 'gvu-')));
  await writeOriginalLayout(fixture(name), folder);
});
afterAll(async () => {
  await runtime.dispose();
  await rm(folder, { recursive: true });
});

describe.each(['transformers', "DeepSeek's release"])('in the layout of %s', (layout) => {
  let janus: JanusCheckpoint;
  beforeAll(async () => {
    janus = await openJanus(layout === 'transformers' ? fixture(name) : folder);
  });

  describe.each(targets)('on the %s target', (target) => {
    it('features of the tower, and what the aligner makes of them', async () => {
      const { config, checkpoint } = janus;
      const found = await runModules({ runtime, checkpoint, target }, (modules) => {
        const features = visionFeatures(modules, config.vision, constantData(modules.graph, get('und.pixel_values')));
        const options = { layers: config.vision.alignerLayers, decoderWidth: config.decoder.width };
        return { features, aligned: alignFeatures(modules, features, options) };
      });
      expectClose(found.features, get('und.vision_hidden'));
      expectClose(found.aligned, get('und.aligner_out'));
    });

    it('embeddings of all image tokens, and the head', async () => {
      const { config, checkpoint } = janus;
      const found = await runModules({ runtime, checkpoint, target }, (modules) => {
        const all = constantData(modules.graph, {
          dtype: 'int64',
          shape: [config.vq.codes],
          data: count(config.vq.codes),
        });
        return {
          codes: imageCodes(modules, config.vq, all),
          aligned: embedImageTokens(modules, config, all),
          logits: imageLogits(modules, config, constantData(modules.graph, get('gen.head_in'))),
        };
      });
      expectClose(found.codes, get('gen.embed_all'));
      expectClose(found.aligned, get('gen.aligned_all'));
      expectClose(found.logits, get('gen.head_out'));
    });

    it('pixels of drawn tokens', async () => {
      const { config, checkpoint } = janus;
      const tokens = get('gen.gumbel.tokens');
      const found = await runModules({ runtime, checkpoint, target }, (modules) => {
        const codes = tokenCodes(modules, config.vq, reshape(constantData(modules.graph, tokens), [1, -1]));
        const rows = transpose(codes, [0, 2, 3, 1]);
        return { codes: reshape(rows, [-1, config.vq.codeWidth]), pixels: decodeCodes(modules, config.vq, codes) };
      });
      expectClose(found.codes, get('vq.codebook_rows_normalised'));
      expectClose(found.pixels, get('vq.pixels_chw'));
    });
  });
});

function count(length: number): BigInt64Array {
  return BigInt64Array.from({ length }, (_, i) => BigInt(i));
}
