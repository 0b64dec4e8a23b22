/** The codes of `@gvu/backend-x-omni`; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core';

export const xOmniErrors = defineErrors({
  GVU_XOMNI_CONFIG: "An X-Omni checkpoint's config.json lacks what the model needs, or contradicts itself.",
  GVU_XOMNI_DECODER: 'An image decoder in ONNX does not have the inputs and outputs that it must have.',
  GVU_XOMNI_ENCODER: 'The weights of the image encoder are missing or do not fit each other.',
});
