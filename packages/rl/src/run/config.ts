/**
 * The configuration of a run: everything that decides its numbers, and nothing else. What is left out has its default; the run
 * keeps the resolved form in `config.json`.
 */
import { defineConfig } from '@gvu/core';

const part = (what: string, use: string) =>
  ({
    type: 'object',
    additionalProperties: false,
    default: {},
    description: `${what}: the id of a contribution, and its own options (see \`gvu plugins show\`).`,
    properties: {
      use: { type: 'string', default: use, description: 'Id of the contribution.' },
      options: { type: 'object', default: {}, description: 'Options of the contribution.' },
    },
  }) as const;

const count = (value: number, least: number, description: string) =>
  ({ type: 'integer', minimum: least, maximum: 2 ** 31 - 1, default: value, description }) as const;

const rewardEntry = {
  type: 'object',
  additionalProperties: false,
  required: ['use'],
  properties: {
    use: { type: 'string', description: 'Id of the reward.' },
    name: {
      type: 'string',
      pattern: '^[A-Za-z0-9._-]{1,64}$',
      description: 'What metrics and reports call it; needed where one reward stands twice in a list. Default: its id.',
    },
    options: { type: 'object', default: {}, description: 'Options of the reward.' },
    weight: { type: 'number', default: 1, description: 'Factor in the sum of rewards; 0 = only reported.' },
    onError: {
      enum: ['fail', 'skip-sample', 'zero'],
      default: 'fail',
      description:
        'What becomes of rollouts on which the reward fails: the run ends, they teach nothing, or they get 0.',
    },
    gate: {
      type: 'object',
      additionalProperties: false,
      required: ['by', 'least'],
      description: 'Lets this reward count only where another reward of the run, a guard, is satisfied.',
      properties: {
        by: {
          type: 'string',
          minLength: 1,
          description: 'The name (or `use`) of the other reward; with weight 0 it does nothing but guard.',
        },
        least: { type: 'number', description: 'What the other reward has to reach.' },
        otherwise: {
          type: 'number',
          default: 0,
          description: 'What this reward is where the other is below that: the lower end of its range, as a rule.',
        },
      },
    },
  },
} as const;

export const runConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    seed: count(1, 0, 'Everything random follows from it.'),
    plugins: {
      type: 'array',
      uniqueItems: true,
      items: { type: 'string' },
      default: [],
      description: "Plugins to load besides GvU's own, by package name or path.",
    },
    backend: part('The model', 'shapes'),
    prompts: {
      type: 'object',
      additionalProperties: false,
      default: {},
      description: 'The prompts: the id of a contribution, and its own options (see `gvu plugins show`).',
      properties: {
        use: {
          type: 'string',
          description: 'Id of the contribution. Default: the prompts that come with the backend.',
        },
        options: { type: 'object', default: {}, description: 'Options of the contribution.' },
      },
    },
    algorithm: part('The algorithm', 'grpo'),
    rewards: {
      type: 'array',
      minItems: 1,
      items: rewardEntry,
      default: [{ use: 'gvu' }],
      description: 'The rewards that drawings are given, which are added up by weight.',
    },
    steps: count(300, 0, 'Batches of rollouts; each is followed by one optimiser step or more.'),
    maxMinutes: {
      type: 'number',
      exclusiveMinimum: 0,
      description:
        'Stops after the step in which this time is over. It makes the result depend on the speed of the machine.',
    },
    promptsPerStep: count(16, 1, 'Prompts of a step.'),
    groupSize: count(8, 2, 'G, drawings of each prompt, which are compared with each other.'),
    microBatch: {
      type: 'integer',
      minimum: 1,
      maximum: 2 ** 31 - 1,
      description:
        'Drawings whose gradient is computed at a time: more take more memory. Rounded down to whole groups where the loss compares their drawings. Default: 64, and 2 for models of 100 million weights and more.',
    },
    checkpointing: {
      type: 'boolean',
      description:
        'Gradients compute each block again in place of keeping its inner values: less memory, more time, the same gradient. Default: for models of 100 million weights and more.',
    },
    updatesPerStep: count(
      1,
      1,
      'Optimiser steps that the groups of a step are spread over. Above 1 the later ones are off policy.',
    ),
    epochs: count(
      1,
      1,
      'How often a batch is learned from (mu). Above 1 the later passes are off policy, and clipping acts.',
    ),
    learningRate: { type: 'number', minimum: 0, default: 1e-3, description: 'Peak learning rate of AdamW.' },
    schedule: {
      enum: ['linear', 'cosine', 'constant'],
      default: 'linear',
      description: 'How the learning rate falls from its peak to zero over the steps, or not.',
    },
    warmupSteps: count(5, 0, 'Steps in which the learning rate rises to its peak.'),
    optimiser: {
      type: 'object',
      additionalProperties: false,
      default: {},
      description: 'AdamW.',
      properties: {
        beta1: {
          type: 'number',
          minimum: 0,
          exclusiveMaximum: 1,
          default: 0.9,
          description: 'Decay of the first moment.',
        },
        beta2: {
          type: 'number',
          minimum: 0,
          exclusiveMaximum: 1,
          default: 0.99,
          description: 'Decay of the second moment.',
        },
        epsilon: {
          type: 'number',
          exclusiveMinimum: 0,
          default: 1e-8,
          description: 'Added to the root of the second moment.',
        },
        weightDecay: { type: 'number', minimum: 0, default: 0, description: 'Decoupled decay of the adapter.' },
        maxGradientNorm: {
          type: 'number',
          exclusiveMinimum: 0,
          default: 1,
          description: 'Longer gradients are shortened to this norm.',
        },
      },
    },
    adapter: {
      type: 'object',
      additionalProperties: false,
      default: {},
      description: 'The LoRA adapter that is trained.',
      properties: {
        rank: count(16, 1, 'Rank of the adapter.'),
        alpha: { type: 'number', exclusiveMinimum: 0, default: 32, description: 'Its part is scaled by alpha / rank.' },
        targets: {
          type: 'array',
          items: { type: 'string' },
          default: [],
          description: "Last parts of the names of the modules to adapt. Empty = the backend's own choice.",
        },
        from: { type: 'string', description: 'Directory of an adapter (PEFT layout) to start from.' },
      },
    },
    sampler: {
      type: 'object',
      additionalProperties: false,
      description: "How drawings are sampled in training. Without it, the backend's own way.",
      required: ['temperature', 'topK', 'topP', 'minP'],
      properties: {
        temperature: { type: 'number', exclusiveMinimum: 0, description: 'Divides the logits.' },
        topK: { type: 'integer', minimum: 0, description: 'Keep the k likeliest tokens; 0 = all.' },
        topP: {
          type: 'number',
          exclusiveMinimum: 0,
          maximum: 1,
          description: 'Keep the likeliest tokens up to this probability; 1 = all.',
        },
        minP: {
          type: 'number',
          minimum: 0,
          maximum: 1,
          description: 'Keep tokens at least this fraction as likely as the likeliest; 0 = all.',
        },
      },
    },
    reference: {
      enum: ['base', 'ema'],
      default: 'base',
      description: 'What KL is measured from: the model without its adapter, or a running average of the adapter.',
    },
    emaDecay: {
      type: 'number',
      minimum: 0,
      exclusiveMaximum: 1,
      default: 0.98,
      description: 'Decay, a step, of the running average that `reference: ema` and `teacher: ema` use.',
    },
    evaluation: {
      type: 'object',
      additionalProperties: false,
      default: {},
      description: 'What the model is asked to do on held-out prompts: always the same, with the same randomness.',
      properties: {
        every: count(50, 0, 'Steps between evaluations; 0 = only before the first and after the last step.'),
        perTag: count(24, 0, 'Held-out prompts of each category; 0 = no evaluation.'),
        drawings: count(1, 1, 'Drawings of each prompt.'),
        rewards: {
          type: 'array',
          items: rewardEntry,
          description:
            'Rewards that judge the drawings; the first one is the score. Default: the first reward that comes with the backend, and the rewards of the run.',
        },
        exam: {
          type: 'string',
          description:
            'Id of the exam in reading; empty = none. Default: the exam that comes with the backend, if any.',
        },
        tests: count(100, 0, 'Questions of each kind in the exam.'),
        seed: count(
          0,
          0,
          'Of the drawings and of the choice of prompts: apart from `seed`, so that runs can be compared.',
        ),
        images: count(2, 0, 'Drawings of each category that are kept as pictures.'),
      },
    },
    checkpoint: {
      type: 'object',
      additionalProperties: false,
      default: {},
      description: 'Checkpoints, from which a run goes on exactly.',
      properties: {
        every: count(50, 0, 'Steps between checkpoints; 0 = only at the end or when stopped.'),
        keep: count(2, 1, 'Checkpoints that are kept, the newest ones.'),
      },
    },
    record: {
      type: 'object',
      additionalProperties: false,
      default: {},
      description: 'What of the rollouts is kept.',
      properties: {
        groups: count(2, 0, 'Groups of each step whose drawings are recorded with their pictures and rewards.'),
      },
    },
    guards: {
      type: 'object',
      additionalProperties: false,
      default: {},
      description: 'When a run is stopped because it cannot be learning any more.',
      properties: {
        idleSteps: count(
          10,
          0,
          'Stop after so many steps in a row without a gradient or without a difference in any group; 0 = never.',
        ),
        maxKl: {
          type: 'number',
          exclusiveMinimum: 0,
          default: 1,
          description:
            'Stop when the KL divergence from the reference, averaged over the last steps, exceeds this, in nats a decision.',
        },
      },
    },
  },
});

export type RunConfig = ReturnType<typeof runConfig.parse>;
