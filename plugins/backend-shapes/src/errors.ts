/** The codes of `@gvu/backend-shapes`; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core';

export const shapesErrors = defineErrors({
  GVU_SHAPES_CHOICE: 'There is nothing to choose from.',
  GVU_SHAPES_PIXELS: 'An image does not have 3 x 64 x 64 values.',
  GVU_SHAPES_MODEL: 'A directory does not hold a shapes model.',
  GVU_SHAPES_PROMPT: "A prompt is not one of the world's grammar.",
  GVU_SHAPES_RESUME: 'A checkpoint of pre-training belongs to another run.',
  GVU_SHAPES_SCENE: 'No scene can satisfy what was asked for.',
  GVU_SHAPES_WORD: "A word or a token is not in the world's vocabulary.",
});
