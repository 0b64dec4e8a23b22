/**
 * CISPO (MiniMax-M1, arXiv 2506.13585): REINFORCE with a capped importance weight. Where PPO's clipping silences a decision that
 * has moved far, here every decision keeps its gradient, with a weight that is capped and not differentiated.
 *
 *   loss = - stop(min(r, maxRatio)) A log p + beta KL
 *
 * Difference from the paper: no lower limit of the weight, as in its experiments.
 */
import { defineConfig } from '@gvu/core';
import { and, cast, greater, minimum, mul, neg, stopGradient } from '@gvu/onnx';
import type { Algorithm } from '../algorithm.ts';
import { maskedMean } from '../masked.ts';
import { advantageOptions, lossOptions } from '../options.ts';
import type { Surrogate } from '../policy-loss.ts';
import { groupRelative } from './group-relative.ts';

export const cispoConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    ...advantageOptions,
    ...lossOptions,
    reduction: { ...lossOptions.reduction, default: 'dapo' },
    maxRatio: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 5,
      description: 'Cap of the ratio itself, not of its distance from 1 (TRL calls it epsilon_high).',
    },
  },
});

export type CispoOptions = ReturnType<typeof cispoConfig.parse>;

export function cispo(options: CispoOptions): Algorithm {
  return groupRelative('cispo', options, cappedWeight(options.maxRatio));
}

function cappedWeight(maxRatio: number): Surrogate {
  return ({ logp, ratio, advantages, active }) => {
    const weight = stopGradient(minimum(ratio, maxRatio));
    const capped = and(greater(ratio, maxRatio), greater(advantages, 0));
    return {
      loss: neg(mul(mul(weight, advantages), logp)),
      metrics: { 'clip/high': { value: maskedMean(cast(capped, active.dtype), active), join: 'mean' } },
    };
  };
}
