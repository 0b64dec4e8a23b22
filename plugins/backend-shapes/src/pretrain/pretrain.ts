/**
 * Pre-training from a seed: tokenizer and flow head; the backbone, mostly reading, which gives the weak base; more of drawing, which
 * gives the regular one; then what each can do.
 *
 * A folder holds everything: `regular/` and `weak/` (a model each), checkpoints while it runs, and `report.json`. Called again
 * with the same options after an interruption it goes on where it stopped, and ends with the same bits.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Runtime } from '@gvu/onnx';
import { shapesConfig } from '../model/config.ts';
import type { ShapesModel } from '../model/shapes-model.ts';
import { modelOf, openModel, writeModel } from '../model/weights.ts';
import { type Catalogue, createCatalogue } from '../world/index.ts';
import { type BackboneTraining, backboneStage, backboneValues } from './backbone-stage.ts';
import {
  type BestOfScores,
  bestOf,
  type JudgedDrawing,
  judgedDrawings,
  overall,
  reconstructionScore,
  scoresByCategory,
} from './evaluate-drawing.ts';
import { modelReader, type ReadingScores, readingScores } from './evaluate-reading.ts';
import type { Score } from './evaluation.ts';
import { type TokenizerTraining, tokenizerStage, tokenizerValues } from './tokenizer-stage.ts';
import { type CurvePoint, type Feeds, type StageProgress, trainStage } from './train-stage.ts';

export interface PretrainOptions {
  readonly seed: number;
  /** Sizes and world; what is left out has its default. */
  readonly config?: unknown;
  readonly tokenizer: TokenizerTraining;
  /** The backbone's first stage, which ends with the weak base. */
  readonly weak: BackboneTraining;
  /** Its second stage, which goes on from there and ends with the regular base. */
  readonly regular: BackboneTraining;
  readonly evaluation: EvaluationSizes;
}

export interface EvaluationSizes {
  /** Held-out prompts drawn in each category. */
  readonly perCategory: number;
  /** Tests of each kind of reading, and images that are encoded and decoded. */
  readonly tests: number;
  /** Prompts with eight drawings each. */
  readonly bestOf: number;
}

/** What is hard to learn, places and which colour belongs to which shape, is practised more often. */
const practised = {
  single_object: 0.7,
  two_object: 0.7,
  counting: 1.2,
  colors: 1,
  position: 2,
  color_attr: 2,
  color_count: 1.5,
  color_pos: 3,
  pos_count: 2.5,
  pos_size: 2,
  multi_count: 1.5,
};

/**
 * The recipe of the weights in this package: about twenty minutes of one thread. Most of the first stage of the backbone is
 * reading, which makes the models the better readers that GvU needs. At twice its rates reading stays where it begins (docs/log.md).
 */
export const defaultRecipe: PretrainOptions = {
  seed: 1,
  config: { world: { colors: ['red', 'yellow', 'green', 'blue'] } },
  tokenizer: { steps: 1400, batch: 32, learningRate: 3e-3 },
  weak: { steps: 2000, drawing: 8, reading: 40, matrixRate: 0.012, learningRate: 0.006, weights: practised },
  regular: { steps: 700, drawing: 40, reading: 24, matrixRate: 0.008, learningRate: 0.004, weights: practised },
  evaluation: { perCategory: 60, tests: 220, bestOf: 110 },
};

export interface BaseReport {
  /** The stage that ended with it. */
  readonly training: StageReport;
  /** Mean over the categories, 0 to 1, on held-out prompts. */
  readonly overall: number;
  readonly categories: Readonly<Record<string, Score>>;
  readonly reading: ReadingScores;
  readonly bestOfEight: BestOfScores;
}

export interface PretrainReport {
  readonly options: PretrainOptions;
  readonly parameters: number;
  /** Clean renders that are judged right after encoding and decoding. */
  readonly reconstruction: Score;
  readonly tokenizer: StageReport;
  readonly weak: BaseReport;
  readonly regular: BaseReport;
}

interface StageReport {
  readonly seconds: number;
  readonly curve: readonly CurvePoint[];
}

export interface RunOptions {
  readonly folder: string;
  readonly onProgress?: (progress: StageProgress) => void;
  readonly signal?: AbortSignal;
}

export interface Pretrained {
  readonly report: PretrainReport;
  /** The first drawing in each category: of both models the same prompts, with the same random numbers. */
  readonly drawings: Readonly<Record<'regular' | 'weak', readonly JudgedDrawing[]>>;
}

/** Runs the whole recipe, or the rest of it. Throws GVU_SHAPES_RESUME when the folder holds another run. */
export async function pretrain(runtime: Runtime, options: PretrainOptions, run: RunOptions): Promise<Pretrained> {
  const { seed, tokenizer, weak, regular, evaluation } = options;
  const { folder, onProgress, signal } = run;
  const config = shapesConfig(options.config);
  const catalogue = createCatalogue(config.world);
  const training = { folder, checkpointEvery: 100, reportEvery: 20, onProgress, signal };
  await mkdir(folder, { recursive: true });

  const first = tokenizerStage(config, catalogue, { seed, training: tokenizer });
  const tokenizerRun = await trainStage(runtime, first, training);
  const pixels = tokenizerValues(config, tokenizerRun.values);
  const encoder = modelOf(runtime, { config, values: pixels, name: 'pretrain tokenizer' });

  const keep = (name: 'regular' | 'weak', values: Feeds) =>
    writeModel(join(folder, name), config, new Map([...pixels, ...backboneValues(config, values)]));
  const second = backboneStage(encoder, catalogue, { name: 'weak', seed, training: weak, before: first.identity });
  const weakRun = await trainStage(runtime, second, training);
  await keep('weak', weakRun.values);

  const start = { values: weakRun.values, steps: weak.steps };
  const third = backboneStage(encoder, catalogue, {
    name: 'regular',
    seed,
    training: regular,
    before: second.identity,
    start,
  });
  const regularRun = await trainStage(runtime, third, training);
  await keep('regular', regularRun.values);

  const parts = evaluationParts(run);
  const [weakModel, regularModel] = [
    await openModel(runtime, join(folder, 'weak')),
    await openModel(runtime, join(folder, 'regular')),
  ];
  const reconstruction = await parts.run(() =>
    reconstructionScore(weakModel, catalogue, { seed, split: 'held-out', tests: evaluation.tests }),
  );
  const weakScores = await evaluateBase(weakModel, catalogue, { seed, evaluation, parts });
  const regularScores = await evaluateBase(regularModel, catalogue, { seed, evaluation, parts });
  const report: PretrainReport = {
    options,
    parameters: [...pixels, ...backboneValues(config, regularRun.values)]
      .filter(([name]) => !name.startsWith('auxiliary.'))
      .reduce((sum, [, { data }]) => sum + data.length, 0),
    reconstruction,
    tokenizer: { seconds: tokenizerRun.seconds, curve: tokenizerRun.curve },
    weak: { training: { seconds: weakRun.seconds, curve: weakRun.curve }, ...weakScores.report },
    regular: { training: { seconds: regularRun.seconds, curve: regularRun.curve }, ...regularScores.report },
  };
  await writeFile(join(folder, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  return { report, drawings: { regular: regularScores.drawings, weak: weakScores.drawings } };
}

/** Of the evaluation: how well the tokenizer does, and for each base drawing, reading and the best of eight. */
const evaluationSteps = 7;

/** Counts the parts of the evaluation as the steps of a stage, between which it can be stopped. */
function evaluationParts({ onProgress, signal }: Pick<RunOptions, 'onProgress' | 'signal'>) {
  const start = performance.now();
  let step = 0;
  return {
    async run<T>(part: () => Promise<T>): Promise<T> {
      signal?.throwIfAborted();
      const result = await part();
      step++;
      const stepsPerSecond = step / Math.max((performance.now() - start) / 1000, 1e-9);
      const secondsLeft = (evaluationSteps - step) / stepsPerSecond;
      onProgress?.({ stage: 'evaluation', step, steps: evaluationSteps, metrics: {}, stepsPerSecond, secondsLeft });
      return result;
    },
  };
}

interface BaseEvaluation {
  readonly seed: number;
  readonly evaluation: EvaluationSizes;
  readonly parts: ReturnType<typeof evaluationParts>;
}

/** Everything that the report says of one base, on held-out prompts, and its first drawing in each category. */
async function evaluateBase(
  model: ShapesModel,
  catalogue: Catalogue,
  { seed, evaluation, parts }: BaseEvaluation,
): Promise<{ report: Omit<BaseReport, 'training'>; drawings: readonly JudgedDrawing[] }> {
  const heldOut = { seed, split: 'held-out' } as const;
  const all = await parts.run(() =>
    judgedDrawings(model, catalogue, { ...heldOut, perCategory: evaluation.perCategory }),
  );
  const scores = scoresByCategory(all);
  const reading = await parts.run(() =>
    readingScores(
      modelReader(model),
      { world: model.config.world, catalogue },
      { ...heldOut, tests: evaluation.tests },
    ),
  );
  const bestOfEight = await parts.run(() =>
    bestOf(model, catalogue, { ...heldOut, prompts: evaluation.bestOf, size: 8 }),
  );
  const tagOf = ({ entry }: JudgedDrawing) => entry.metadata.tag;
  return {
    report: { overall: overall(scores), categories: Object.fromEntries(scores), reading, bestOfEight },
    drawings: all.filter((drawing, i) => all.findIndex((other) => tagOf(other) === tagOf(drawing)) === i),
  };
}
