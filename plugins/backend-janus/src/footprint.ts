/** What a Janus model occupies, from its `config.json`; the weights are looked at where they are there. */

import { isGvuError } from '@gvu/core';
import { absentWeights, autoregressiveFootprint, type Footprint, type FootprintDeps, savedDType } from '@gvu/models';
import { type JanusConfig, janusConfig } from './checkpoint/config.ts';
import { type JanusCheckpoint, janusParameters, openJanus, readConfig } from './checkpoint/open.ts';
import { originalConfig } from './checkpoint/original-layout.ts';
import { decodeProgram, seeProgram } from './model/image-codec.ts';
import type { JanusOptions } from './options.ts';
import { janusSizes } from './sizes.ts';

/** The system prompt and the question that stand around an image. */
const readingLength = 80;

/** Numbers of the preprocessing have no size. */
const preprocessing = {
  background: [127, 127, 127],
  leastSide: 14,
  scale: 1,
  mean: [0, 0, 0],
  deviation: [1, 1, 1],
} as const;

/** Throws what `openJanus` throws, but for weights that are not there at all. */
export async function createJanusFootprint(options: JanusOptions, { target }: FootprintDeps): Promise<Footprint> {
  const { janus, hasWeights, dispose } = await openSizes(options.model);
  const { vision } = janus.config;
  return autoregressiveFootprint(janusSizes(janus, { options, target }), {
    hasWeights,
    shown: { count: (vision.imageSide / vision.patchSide) ** 2, features: true },
    readingLength,
    pictures: () => [decodeProgram({ janus, target }), seeProgram({ janus, preprocessing, target })],
    dispose,
  });
}

interface Opened {
  readonly janus: JanusCheckpoint;
  readonly hasWeights: boolean;
  readonly dispose: () => Promise<void>;
}

async function openSizes(folder: string): Promise<Opened> {
  try {
    return { janus: await openJanus(folder), hasWeights: true, dispose: async () => undefined };
  } catch (error) {
    if (!isGvuError(error, 'GVU_CHECKPOINT_MISSING')) throw error;
  }
  const json = await readConfig(folder);
  const config = configAlone(json);
  const checkpoint = await absentWeights(janusParameters(config).needed, { dtype: savedDType(json) });
  return { janus: { config, checkpoint }, hasWeights: false, dispose: async () => checkpoint[Symbol.asyncDispose]() };
}

/** DeepSeek's layout names classes where it has no sizes: what its releases have is what transformers has by default. */
function configAlone(json: Readonly<Record<string, unknown>>): JanusConfig {
  if (json.model_type !== 'multi_modality') return janusConfig(json);
  const { text_config } = originalConfig(json, new Map());
  return janusConfig({ model_type: 'janus', text_config });
}
