/** The contribution point of backends: plugins provide them below `gvu.contributes.backends`. */
import { contributionPoint } from '@gvu/core';
import type { Runtime } from '@gvu/onnx';
import type { Backend } from './backend.ts';

export interface BackendDeps {
  /** Where its programs run. It belongs to the caller and outlives the backend. */
  readonly runtime: Runtime;
}

export const backends = contributionPoint<Backend, BackendDeps>({
  kind: 'backends',
  description: 'Unified multimodal models that draw and read.',
  entrySchema: {
    properties: {
      capabilities: {
        type: 'array',
        uniqueItems: true,
        items: { enum: ['text-to-image', 'image-to-text', 'trainable'] },
        description: 'What the backend can do.',
      },
    },
    required: ['capabilities'],
  },
});
