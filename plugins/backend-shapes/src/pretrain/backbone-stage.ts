/** A stage of the backbone, over the codes that the finished tokenizer gives to images: from first values, or on from another stage. */
import { biasCorrections, type FlatLayout, flatSize, packFlat, unpackFlat } from '@gvu/onnx';
import { backboneParameters, type ShapesConfig } from '../model/config.ts';
import type { ShapesModel } from '../model/shapes-model.ts';
import type { ModelValues } from '../model/weights.ts';
import type { Catalogue, PromptWeights } from '../world/index.ts';
import { backboneFeeds, textLengths } from './backbone-data.ts';
import { backboneLayouts, backboneOptimiser, backboneProgram } from './backbone-program.ts';
import { exampleSource } from './data.ts';
import { initialValues } from './initial.ts';
import { learningRateAt } from './schedule.ts';
import { scalar } from './tokenizer-stage.ts';
import type { Feeds, Stage } from './train-stage.ts';

export interface BackboneTraining {
  readonly steps: number;
  /** Images that are drawn and images that are read in a step. */
  readonly drawing: number;
  readonly reading: number;
  /** Peak rates of Muon (matrices) and of AdamW (the rest). */
  readonly matrixRate: number;
  readonly learningRate: number;
  readonly weights: PromptWeights;
}

export interface BackboneStageOptions {
  readonly name: string;
  readonly seed: number;
  readonly training: BackboneTraining;
  /** Identity of the stage that comes before: of the tokenizer's, or of the backbone's that this one goes on from. */
  readonly before: unknown;
  /** What the backbone's stage before ended with; moments and momentum begin anew. */
  readonly start?: { readonly values: Feeds; readonly steps: number };
}

/** `tokenizer` needs to encode images only. */
export function backboneStage(tokenizer: ShapesModel, catalogue: Catalogue, options: BackboneStageOptions): Stage {
  const { config, ids } = tokenizer;
  const { name, seed, training, before, start } = options;
  const { steps, drawing, reading, matrixRate, learningRate, weights } = training;
  const batch = { drawing, reading, ...textLengths(catalogue, ids) };
  const layouts = backboneLayouts(config);
  const first = start ? backboneValues(config, start.values) : initialValues(backboneParameters(config), seed);
  const pack = (layout: FlatLayout) =>
    packFlat(layout, 'float32', new Map([...first].filter(([name]) => layout.some((entry) => entry.name === name))));
  const zeros = (layout: FlatLayout) => ({ dtype: 'float32', shape: [flatSize(layout)] }) as const;
  const example = exampleSource(config.world, catalogue, { seed, weights });
  return {
    name,
    steps,
    identity: { before, seed, training },
    program: backboneProgram(config, batch),
    variables: {
      hidden: pack(layouts.hidden),
      momentum: zeros(layouts.hidden),
      rest: pack(layouts.rest),
      firstMoment: zeros(layouts.rest),
      secondMoment: zeros(layouts.rest),
    },
    async feeds(step) {
      // Another stage's examples do not come again.
      const at = step + (start?.steps ?? 0);
      const examples = Array.from({ length: drawing + reading }, (_, row) => example(at, row));
      const codes = await tokenizer.encode(examples.map(({ pixels }) => pixels));
      const { correction1, correction2 } = biasCorrections(step + 1, backboneOptimiser);
      const rate = learningRateAt({ peak: 1, steps, warmup: Math.min(40, steps / 10), fall: 0.45 }, step);
      return {
        ...backboneFeeds(
          examples.map((each, row) => ({ ...each, codes: codes[row] ?? [] })),
          at,
          { world: config.world, catalogue, ids, batch, seed, weights },
        ),
        matrixRate: scalar(matrixRate * rate),
        learningRate: scalar(learningRate * rate),
        correction1: scalar(correction1),
        correction2: scalar(correction2),
      };
    },
  };
}

/** The backbone's tensors among the stage's variables. */
export function backboneValues(config: ShapesConfig, { hidden, rest }: Feeds): ModelValues {
  if (!hidden || !rest) throw new RangeError('The stage has other variables.');
  const layouts = backboneLayouts(config);
  return new Map([...unpackFlat(layouts.hidden, hidden), ...unpackFlat(layouts.rest, rest)]);
}
