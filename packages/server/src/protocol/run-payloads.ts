/** Data of the events of a run, as its log has them: the schemas of what `RunEvents` of `@gvu/rl` types. A test holds both together. */
import { blobName, name, numberOrNull, numbersByName, offset } from './schema.ts';

const image = { anyOf: [blobName, { type: 'null' }] } as const;
const step = { ...offset, description: 'Steps count from 1; 0 is before training.' } as const;
const text = { type: 'string' } as const;
const textOrNull = { type: ['string', 'null'] } as const;

const trace = {
  type: 'object',
  required: ['tokens', 'logProbs'],
  properties: {
    tokens: { type: 'array', items: text, description: 'The tokens of the prompt.' },
    logProbs: {
      type: 'array',
      items: numberOrNull,
      description: 'Of each, in nats, given the image and those before it.',
    },
  },
} as const;

export const stepData = {
  type: 'object',
  required: ['step', 'steps', 'seconds', 'elapsedSeconds', 'metrics'],
  properties: {
    step,
    steps: { ...offset, description: 'Of the whole run.' },
    seconds: { type: 'number' },
    elapsedSeconds: { type: 'number' },
    metrics: { ...numbersByName, description: 'By name, such as `reward/mean`, `kl`, `entropy`.' },
  },
} as const;

export const rolloutData = {
  type: 'object',
  required: [
    'step',
    'group',
    'sample',
    'seed',
    'prompt',
    'tag',
    'reward',
    'rewards',
    'advantage',
    'traces',
    'teacher',
    'sampler',
    'logProb',
    'image',
  ],
  properties: {
    step,
    group: { ...offset, description: 'Which prompt of the step.' },
    sample: { ...offset, description: 'Which drawing of the prompt.' },
    seed: { type: 'number' },
    prompt: text,
    tag: textOrNull,
    reward: numberOrNull,
    rewards: { ...numbersByName, description: 'By name, before weights.' },
    advantage: { type: 'number' },
    traces: {
      type: 'object',
      additionalProperties: trace,
      description: 'By reward: what every token of the prompt contributed.',
    },
    teacher: {
      anyOf: [
        {
          type: 'object',
          required: ['kind', 'version', 'representation'],
          properties: { kind: text, version: text, representation: text },
        },
        { type: 'null' },
      ],
      description: 'Who read the picture.',
    },
    sampler: { type: 'object', additionalProperties: { type: 'number' } },
    logProb: { type: 'number', description: 'Mean over the decisions, in nats.' },
    image,
  },
} as const;

export const evaluationData = {
  type: 'object',
  required: ['step', 'seconds', 'score', 'overall', 'byTag', 'drawings'],
  properties: {
    step,
    seconds: { type: 'number' },
    score: { ...text, description: 'Name of the reward whose mean is the score.' },
    overall: numbersByName,
    byTag: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        required: ['n', 'mean'],
        properties: { n: offset, mean: numbersByName },
      },
    },
    drawings: {
      type: 'array',
      items: {
        type: 'object',
        required: ['prompt', 'tag', 'sample', 'rewards', 'image'],
        properties: { prompt: text, tag: textOrNull, sample: offset, rewards: numbersByName, image },
      },
    },
  },
} as const;

export const examData = {
  type: 'object',
  required: ['step', 'name', 'scores'],
  properties: {
    step,
    name: text,
    scores: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        required: ['correct', 'n'],
        properties: { correct: { type: 'number' }, n: offset },
      },
    },
  },
} as const;

export const imageData = {
  type: 'object',
  required: ['image', 'of', 'index', 'step', 'prompt', 'sample'],
  properties: {
    image: blobName,
    of: { enum: ['rollout', 'evaluation'] },
    index: { ...offset, description: 'Of an evaluation: which of its drawings; else 0.' },
    step,
    prompt: text,
    sample: offset,
  },
} as const;

export const startedData = {
  type: 'object',
  required: ['run', 'config', 'backend', 'image', 'trainable', 'versions'],
  properties: {
    run: name,
    config: { description: 'As resolved.' },
    backend: {
      type: 'object',
      required: ['name', 'version', 'parameters', 'policy'],
      properties: { name: text, version: text, parameters: offset, policy: text },
    },
    image: {
      type: 'object',
      required: ['width', 'height', 'decisions'],
      properties: { width: offset, height: offset, decisions: offset },
    },
    trainable: offset,
    versions: { type: 'object', additionalProperties: text },
  },
} as const;

export const resumedData = {
  type: 'object',
  description: 'Training went on from a checkpoint: what was logged for later steps counts no more.',
  required: ['step'],
  properties: { step },
} as const;

export const endedData = {
  type: 'object',
  required: ['step', 'reason', 'message', 'seconds'],
  properties: { step, reason: text, message: text, seconds: { type: 'number' } },
} as const;

export const checkpointData = {
  type: 'object',
  required: ['step', 'path'],
  properties: { step, path: text },
} as const;

export const guardData = {
  type: 'object',
  required: ['step', 'guard', 'level', 'message'],
  properties: { step, guard: text, level: { enum: ['warn', 'stop'] }, message: text },
} as const;
