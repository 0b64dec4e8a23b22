/** The first stage: tokenizer and flow head, from images alone. */
import { fillNormal, fillUniform, type RandomAddress, randomStream } from '@gvu/core';
import { biasCorrections, flatSize, packFlat, sizeOf, type TensorData, unpackFlat } from '@gvu/onnx';
import { imageTokens, patchSize, type ShapesConfig } from '../model/config.ts';
import { joinImages } from '../model/shapes-model.ts';
import type { ModelValues } from '../model/weights.ts';
import type { Catalogue } from '../world/index.ts';
import { exampleSource } from './data.ts';
import { initialValues } from './initial.ts';
import { learningRateAt } from './schedule.ts';
import { tokenizerLayout, tokenizerOptimiser, tokenizerProgram } from './tokenizer-program.ts';
import type { Feeds, Stage } from './train-stage.ts';

export interface TokenizerTraining {
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
}

export function tokenizerStage(
  config: ShapesConfig,
  catalogue: Catalogue,
  { seed, training }: { seed: number; training: TokenizerTraining },
): Stage {
  const { steps, batch, learningRate } = training;
  const { codes, latent } = config.tokenizer;
  const layout = tokenizerLayout(config);
  const flat = { dtype: 'float32', shape: [flatSize(layout)] } as const;
  const table = { dtype: 'float32', shape: [codes, latent] } as const;
  const example = exampleSource(config.world, catalogue, { seed });
  const stream = (name: string) => randomStream(seed, `shapes/pretrain/tokenizer/${name}`);
  const [noise, time, uniform] = [stream('noise'), stream('time'), stream('restart')];
  const rows = batch * imageTokens;
  return {
    name: 'tokenizer',
    steps,
    identity: { config, seed, training },
    program: tokenizerProgram(config, { batch }),
    variables: {
      parameters: packFlat(layout, 'float32', initialValues(layout, seed)),
      firstMoment: flat,
      secondMoment: flat,
      codebook: table,
      counts: { dtype: 'float32', shape: [codes] },
      sums: table,
    },
    async feeds(step) {
      const images = Array.from({ length: batch }, (_, row) => example(step, row).pixels);
      const { correction1, correction2 } = biasCorrections(step + 1, tokenizerOptimiser);
      const rate = learningRateAt({ peak: learningRate, steps, warmup: steps / 20, fall: 0.6 }, step);
      return {
        pixels: joinImages(images),
        noise: filled([rows, patchSize], fillNormal, noise.at(step)),
        time: filled([rows, 1], fillUniform, time.at(step)),
        uniform: filled([rows], fillUniform, uniform.at(step)),
        learningRate: scalar(rate),
        correction1: scalar(correction1),
        correction2: scalar(correction2),
      };
    },
  };
}

/** The tensors that a model keeps of the stage's variables. */
export function tokenizerValues(config: ShapesConfig, { parameters, codebook }: Feeds): ModelValues {
  if (!parameters || !codebook) throw new RangeError('The stage has other variables.');
  return new Map([...unpackFlat(tokenizerLayout(config), parameters), ['tokenizer.codebook.weight', codebook]]);
}

export function scalar(value: number): TensorData {
  return { dtype: 'float32', shape: [], data: Float32Array.of(value) };
}

function filled(
  shape: readonly number[],
  fill: (out: Float32Array, address: RandomAddress) => void,
  address: RandomAddress,
): TensorData {
  const data = new Float32Array(sizeOf(shape));
  fill(data, address);
  return { dtype: 'float32', shape, data };
}
