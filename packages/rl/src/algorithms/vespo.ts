/**
 * VESPO (arXiv 2602.10693): the importance weight of a whole rollout, w = prod r, shaped by a gamma-like function and not differentiated.
 *
 *   loss = - stop(phi(w)) A log p + beta KL,   phi(w) = w^k exp(lambda (1 - w)),   k and lambda by the sign of A
 *
 * phi(1) = 1, and phi fades to both sides. Differences from the paper: each log-ratio is limited to ±20 and their sum to [log 1e-8, 20],
 * as in TRL, so that nothing overflows.
 */
import { defineConfig } from '@gvu/core';
import { add, clip, exp, mean, mul, neg, stopGradient, sub, sum } from '@gvu/onnx';
import type { Algorithm } from '../algorithm.ts';
import { advantageOptions, lossOptions } from '../options.ts';
import { bySign, type Surrogate } from '../policy-loss.ts';
import { groupRelative } from './group-relative.ts';

const { ratio: _itsOwn, ...shared } = lossOptions;
const shape = { type: 'number', minimum: 0 } as const;

export const vespoConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    ...advantageOptions,
    ...shared,
    reduction: { ...lossOptions.reduction, default: 'dapo' },
    kPositive: { ...shape, default: 2, description: 'Power of the weight where the advantage is positive.' },
    lambdaPositive: { ...shape, default: 3, description: 'Rate of its decay there.' },
    kNegative: { ...shape, default: 3, description: 'Power of the weight where the advantage is negative.' },
    lambdaNegative: { ...shape, default: 2, description: 'Rate of its decay there.' },
  },
});

export type VespoOptions = ReturnType<typeof vespoConfig.parse>;

export function vespo(options: VespoOptions): Algorithm {
  return groupRelative('vespo', { ...options, ratio: 'token' }, shapedWeight(options));
}

const leastLogWeight = Math.log(1e-8);
const greatestLog = 20;

function shapedWeight({ kPositive, lambdaPositive, kNegative, lambdaNegative }: VespoOptions): Surrogate {
  return ({ logp, logRatio, advantages, active }) => {
    const bounded = mul(clip(logRatio, -greatestLog, greatestLog), active);
    const logWeight = clip(sum(bounded, [1], { keepDims: true }), leastLogWeight, greatestLog); // [B, 1]
    const k = bySign(advantages, { positive: kPositive, negative: kNegative });
    const lambda = bySign(advantages, { positive: lambdaPositive, negative: lambdaNegative });
    const phi = stopGradient(exp(add(mul(k, logWeight), mul(lambda, sub(1, exp(logWeight))))));
    return {
      loss: neg(mul(mul(phi, advantages), logp)),
      metrics: { 'vespo/weight': { value: mean(phi), join: 'mean' } },
    };
  };
}
