/** The codes of `@gvu/models`; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core';

export const modelErrors = defineErrors({
  GVU_MODEL_CONFIG: "A model's config.json asks for something this decoder does not do, or lacks what it needs.",
  GVU_MODEL_IMAGE: 'An image is not one that the model can be shown.',
  GVU_MODEL_TEXT: 'A text is not one that the model can take.',
  GVU_MODEL_WEIGHTS: 'A checkpoint lacks tensors, or has them in other shapes than its configuration says.',
});
