/**
 * The options of this package's contributions, as JSON Schema; `schema/` has them as files, which a test keeps the same.
 *
 * All that know the world take it from a model, so that prompts, judge, exam and backend agree without being told the same thing
 * twice. The models of this package share one world.
 */
import { defineConfig, type JsonValue } from '@gvu/core';
import type { BackboneTraining } from '../pretrain/backbone-stage.ts';
import { defaultRecipe } from '../pretrain/pretrain.ts';
import { categories } from '../world/index.ts';

const model = (use: string) =>
  ({
    type: 'string',
    minLength: 1,
    default: 'regular',
    description: `${use}: regular, weak, or the path of a directory that \`gvu pretrain\` has made.`,
  }) as const;

export const backendConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    model: model('Which model works'),
    sampler: {
      type: 'object',
      additionalProperties: false,
      default: {},
      description: 'What drawings are sampled with; by default from the policy itself.',
      properties: {
        temperature: {
          type: 'number',
          minimum: 0,
          maximum: 100,
          default: 1,
          description: 'Divides the logits; 0 takes the likeliest token always.',
        },
        topK: { type: 'integer', minimum: 0, default: 0, description: 'Keep the k likeliest tokens; 0 keeps all.' },
        topP: {
          type: 'number',
          exclusiveMinimum: 0,
          maximum: 1,
          default: 1,
          description: 'Keep the likeliest tokens until their probabilities add up to this; 1 keeps all.',
        },
        minP: {
          type: 'number',
          minimum: 0,
          maximum: 1,
          default: 0,
          description: 'Keep tokens at least this fraction as likely as the likeliest; 0 keeps all.',
        },
      },
    },
  },
});

/** For contributions that need the world alone. */
export const worldConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: { model: model('The model whose world it is') },
});

export const benchmarkConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    model: model('The model whose world it is'),
    perTask: {
      type: 'integer',
      minimum: 1,
      default: 40,
      description: 'At most as many held-out prompts of each task.',
    },
  },
});

const weights = {
  type: 'object',
  additionalProperties: false,
  default: {},
  description: 'How often prompts of each category are chosen for training, relative to the others; 0 = never.',
  properties: Object.fromEntries(categories.map((category) => [category, weight(category)])),
} as const;

function weight(category: string) {
  return {
    type: 'number',
    minimum: 0,
    default: 1,
    description: `Weight of the category ${category}.`,
  } as const;
}

export const promptsConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: { model: model('The model whose world the prompts are of'), weights },
});

const size = (value: number, description: string, minimum = 1) =>
  ({ type: 'integer', minimum, default: value, description }) as const;
const rate = (value: number, description: string) =>
  ({ type: 'number', exclusiveMinimum: 0, default: value, description }) as const;
const part = <Properties>(description: string, properties: Properties) =>
  ({ type: 'object', additionalProperties: false, default: {}, description, properties }) as const;

const { seed, config, tokenizer, weak, regular, evaluation } = defaultRecipe;

export const recipeConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    seed: { ...size(seed, 'Everything random follows from it.', 0), maximum: Number.MAX_SAFE_INTEGER },
    config: {
      type: 'object',
      default: plain(config ?? {}),
      description: 'Sizes of the networks and options of the world, as a model has them in its config.json.',
    },
    tokenizer: part('The first stage: tokenizer and flow head.', {
      steps: size(tokenizer.steps, 'Steps.'),
      batch: size(tokenizer.batch, 'Images of a step.'),
      learningRate: rate(tokenizer.learningRate, 'Peak learning rate of AdamW.'),
    }),
    weak: backbone(
      'The second stage: the backbone, which learns to read more than to draw and ends as the weak model.',
      weak,
    ),
    regular: backbone(
      'The third stage: goes on from the weak model with more of drawing, to the regular one.',
      regular,
    ),
    evaluation: part('What the report is made of.', {
      perCategory: size(evaluation.perCategory, 'Held-out prompts drawn in each category.'),
      tests: size(evaluation.tests, 'Tests of each kind of reading, and images that are encoded and decoded.'),
      bestOf: size(evaluation.bestOf, 'Prompts with eight drawings each.'),
    }),
  },
});

/** A stage of the backbone. */
function backbone(description: string, defaults: BackboneTraining) {
  return part(description, {
    steps: size(defaults.steps, 'Steps.'),
    drawing: size(defaults.drawing, 'Images that are drawn in a step.'),
    reading: size(defaults.reading, 'Images that are read in a step.'),
    matrixRate: rate(defaults.matrixRate, 'Peak learning rate of Muon, for the matrices of the blocks.'),
    learningRate: rate(defaults.learningRate, 'Peak learning rate of AdamW, for everything else.'),
    weights: {
      ...weights,
      properties: Object.fromEntries(
        categories.map((category) => [
          category,
          { ...weight(category), default: defaults.weights[category] ?? 0 } as const,
        ]),
      ),
    },
  });
}

/** A value as plain JSON. */
function plain(value: unknown): JsonValue {
  // What JSON.parse gives is JSON.
  return JSON.parse(JSON.stringify(value)) as JsonValue;
}
