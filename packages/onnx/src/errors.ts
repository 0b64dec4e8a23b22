/** The codes of `@gvu/onnx`; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core';

export const onnxErrors = defineErrors({
  GVU_TENSOR_DATA: 'The values of a tensor do not fit its dtype or shape.',
});
