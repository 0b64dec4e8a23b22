/** The one table of gradient rules. An operator that is missing here cannot be differentiated. */
import type { GradientRules } from './grad.ts';
import { convolutionRules } from './rules/convolution.ts';
import { elementwiseRules } from './rules/elementwise.ts';
import { linearRules } from './rules/linear.ts';
import { movementRules } from './rules/movement.ts';
import { neuralRules } from './rules/neural.ts';
import { resamplingRules } from './rules/resampling.ts';

export const gradientRules: GradientRules = {
  ...convolutionRules,
  ...elementwiseRules,
  ...linearRules,
  ...movementRules,
  ...neuralRules,
  ...resamplingRules,
};
