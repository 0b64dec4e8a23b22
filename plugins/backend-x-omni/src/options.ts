/** The options of the backend, as JSON Schema; `schema/x-omni.json` has them as a file, which a test keeps the same. */
import { defineConfig } from '@gvu/core';

export const backendConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['model'],
  properties: {
    model: {
      type: 'string',
      minLength: 1,
      description: 'Directory of an X-Omni checkpoint, in the layout of its release.',
    },
    imageSize: {
      anyOf: [
        { type: 'integer', minimum: 1, maximum: 4096 },
        {
          type: 'object',
          additionalProperties: false,
          required: ['width', 'height'],
          properties: {
            width: { type: 'integer', minimum: 1, maximum: 4096 },
            height: { type: 'integer', minimum: 1, maximum: 4096 },
          },
        },
      ],
      description:
        'Size of drawings in pixels: the side of a square, or width and height, multiples of the patch of the image tokenizer (16 in the release). Default: 36 x 36 tokens, 576 pixels, as the paper trains; of a model made for short sequences, a square of at most half of them.',
    },
    sampler: {
      enum: ['reference', 'exact'],
      default: 'reference',
      description:
        'How drawings are sampled: as the released code does it (min-p 0.03 and the top-k 50 that its library adds), or from the policy itself.',
    },
    guidance: {
      type: 'number',
      minimum: 1,
      maximum: 100,
      default: 1,
      description: 'Scale w of classifier-free guidance, u + w (c - u); 1 is none, as in the release.',
    },
    decoder: {
      type: 'string',
      minLength: 1,
      description:
        'An image decoder in ONNX: `semantic` float32 [1, C, h, w], and `noise` if it has that input, to `pixels` float32 [1, 3, H, W] from -1 to 1. Without it, pictures only show which tokens are equal.',
    },
    dtype: {
      enum: ['float32', 'float16'],
      default: 'float32',
      description: 'What the decoder computes in; losses and sampling are float32 always.',
    },
  },
});

export type XOmniOptions = ReturnType<typeof backendConfig.parse>;
