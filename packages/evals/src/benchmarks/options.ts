/** The options of this package's contributions, as JSON Schema; `schema/` has them as files, which a test keeps the same. */
import { defineConfig } from '@gvu/core';
import { t2iCategories } from './t2i-compbench/t2i-compbench.ts';

const text = (description: string) => ({ type: 'string', minLength: 1, description }) as const;

/** Benchmarks whose metadata are in this package. */
export const metadataConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: { path: text('Metadata in the official format. Default: the official ones.') },
});

export const dpgConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['path'],
  properties: { path: text('The official dpg_bench.csv.') },
});

export const t2iConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    categories: {
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: { enum: t2iCategories },
      description: 'Which categories. Default: all.',
    },
  },
});

const instruction = {
  type: 'string',
  description: "Added to each question, in place of the benchmark's own words.",
} as const;

export const popeConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['path', 'images'],
  properties: {
    path: text('The folder of the three files coco_pope_random, _popular and _adversarial (.jsonl or .json).'),
    images: text("The folder of COCO's val2014 images."),
    instruction,
  },
});

export const tableConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['path'],
  properties: {
    path: text('The table of questions (.tsv), as VLMEvalKit publishes it.'),
    images: text('The folder that paths of images in the table are relative to.'),
    split: text('Ask only the questions of this split.'),
    instruction,
  },
});

export const httpJudgeConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['url', 'identity'],
  properties: {
    url: { type: 'string', pattern: '^https?://', description: 'Where questions are posted.' },
    identity: text('Who answers there, with its version; it stands in every result.'),
    abilities: {
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: { enum: ['answer', 'probability', 'detect', 'similarity', 'depth'] },
      default: ['answer'],
      description: 'What the server can do.',
    },
    tries: { type: 'integer', minimum: 1, maximum: 20, default: 6, description: 'Tries for each question.' },
    timeoutMs: { type: 'integer', minimum: 1, default: 60_000, description: 'Milliseconds that a try may take.' },
    parallel: { type: 'integer', minimum: 1, maximum: 64, default: 4, description: 'Questions under way at a time.' },
  },
});

const onnxFolder = text('Directory of the ONNX file and of the files that say how to ask it.');
const onnxFile = {
  type: 'string',
  minLength: 1,
  default: 'model.onnx',
  description: 'Path of the ONNX file in the directory.',
} as const;

export const onnxDetectorConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['model'],
  properties: {
    model: onnxFolder,
    file: onnxFile,
    least: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0.3,
      description: 'Objects of no more confidence than this are not reported.',
    },
    colors: text(
      "Directory of a CLIP model that tells objects' colours; GenEval's is ViT-L/14. Default: none are told.",
    ),
  },
});

export const onnxVqaConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['model'],
  properties: {
    model: onnxFolder,
    file: onnxFile,
    yes: { type: 'string', minLength: 1, default: 'yes', description: 'The token whose probability is that of a yes.' },
  },
});
