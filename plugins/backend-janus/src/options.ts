/** The options of the backend, as JSON Schema; `schema/janus.json` has them as a file, which a test keeps the same. */
import { defineConfig } from '@gvu/core';

export const backendConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['model'],
  properties: {
    model: {
      type: 'string',
      minLength: 1,
      description:
        "Directory of a Janus or Janus-Pro checkpoint, in the layout of transformers or of DeepSeek's release.",
    },
    guidance: {
      type: 'number',
      minimum: 1,
      maximum: 100,
      default: 5,
      description:
        'Scale w of classifier-free guidance, u + w (c - u); 1 draws from the policy itself, at half the cost. The release uses 5.',
    },
    dtype: {
      enum: ['float32', 'float16'],
      default: 'float32',
      description:
        'What the language model computes in. float16 takes half the memory, and is meant for CUDA; image networks and sampling stay in float32.',
    },
    speakers: {
      enum: ['pro', 'words'],
      default: 'pro',
      description: 'How speakers are called in prompts: by the tokens of Janus-Pro, or by words as in Janus-1.3B.',
    },
    sampler: {
      type: 'object',
      additionalProperties: false,
      default: {},
      description: 'What drawings are sampled with; by default all of the softmax at temperature 1, as in the release.',
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

export type JanusOptions = ReturnType<typeof backendConfig.parse>;
