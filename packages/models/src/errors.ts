/** The codes of `@gvu/models`; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core';

export const modelErrors = defineErrors({
  GVU_MODEL_CONFIG: "A model's config.json asks for something this decoder does not do, or lacks what it needs.",
  GVU_MODEL_FILE: "A file of a model's directory cannot be read, or is not what its name says.",
  GVU_MODEL_IMAGE: 'An image is not one that the model can be shown.',
  GVU_MODEL_NAN: 'A model computes NaN: its weights are broken, or its numbers too large for what it computes in.',
  GVU_MODEL_TEXT: 'A text is not one that the model can take.',
  GVU_MODEL_TOKENIZER: 'A tokenizer or chat template cannot be used, or lacks what the model needs.',
  GVU_MODEL_WEIGHTS: 'A checkpoint lacks tensors, or has them in other shapes than its configuration says.',
  GVU_TORCH_PICKLE: 'A PyTorch file holds something else than tensors in plain containers, or is broken.',
  GVU_TORCH_ZIP: 'A PyTorch file is not a whole zip archive as torch.save writes it.',
});
