/** Gradients of random programs: right on `reference`, and the same on the lowerings and with checkpointed segments. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CheckOptions, checkGradients } from '../src/autodiff/check.ts';
import { buildExpression, expressionInputs, expressionSteps, expressionText } from './random-expressions.ts';
import { sharedRuntime, useSharedRuntime } from './shared-runtime.ts';

useSharedRuntime();

const seed = 20_261_123;

const lowerings: readonly (CheckOptions & { runs: number })[] = [
  { target: 'reference', dtype: 'float64', runs: 60 },
  // Errors of float32 add up over ten operators.
  { target: 'cpu', dtype: 'float32', tolerance: 5e-5, runs: 40 },
  { target: 'cuda', dtype: 'float32', tolerance: 5e-5, runs: 40 },
];

test.each(lowerings)(`random programs on $target in $dtype (seed ${seed})`, async ({ runs, ...options }) => {
  await fc.assert(
    fc.asyncProperty(expressionSteps, async (steps) => {
      const found = await checkGradients((...inputs) => buildExpression(steps, inputs), expressionInputs, {
        ...options,
        runtime: sharedRuntime(),
      });
      expect(found, expressionText(steps)).toHaveLength(expressionInputs.length);
    }),
    { seed, numRuns: runs },
  );
});
