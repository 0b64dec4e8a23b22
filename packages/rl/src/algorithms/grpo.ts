/**
 * GRPO, Group Relative Policy Optimisation (Shao et al. 2024): PPO's clipped surrogate with advantages relative to the group, and no
 * value function. With its options also Dr. GRPO, DAPO, BNPO (reductions, `epsilonHigh`), GSPO (`ratio: sequence`), LUSPO
 * (both) and the two-sided clip of INTELLECT-2 (`delta`).
 *
 *   loss = - min(r A, clip(r, 1 - epsilon, 1 + epsilonHigh) A) + beta KL
 *
 * Differences from the GvU paper (Eq. 6-8), all of which its released code shares:
 *  - r is the ratio of each decision, averaged over a rollout; Eq. 8 writes that of the whole rollout. `ratio: sequence` is
 *    nearer to the letter, by the geometric mean.
 *  - KL is the k3 estimate on each decision, where Eq. 8 leaves the estimator open.
 *  - Eq. 7 has no epsilon in its denominator; `epsilonAdvantage` is 1e-4 in the released code, which acts as a soft threshold
 *    on rewards near 0.045, and with its groups of two leaves little but the sign of the difference.
 *
 * The released code, by accident or not, further: takes one step for each rollout with r = 1 exactly, so that clipping never acts
 * (leave out `oldLogp`); draws with min-p but takes log-probabilities of the full softmax, so that what is drawn from is not
 * the policy (the sampler's affair); adds rewards up unweighted.
 */
import { defineConfig } from '@gvu/core';
import { and, cast, clip, greater, less, minimum, mul, neg, or, type Tensor } from '@gvu/onnx';
import type { Algorithm } from '../algorithm.ts';
import { maskedMean } from '../masked.ts';
import { advantageOptions, lossOptions } from '../options.ts';
import type { Surrogate, SurrogateTerms } from '../policy-loss.ts';
import { groupRelative } from './group-relative.ts';

/** The range of ratios that are told apart. */
export const clipOptions = {
  epsilon: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 0.2,
    description: 'The ratio counts down to 1 - epsilon, and up to 1 + epsilon unless epsilonHigh says otherwise.',
  },
  epsilonHigh: {
    type: 'number',
    exclusiveMinimum: 0,
    description: 'The ratio counts up to 1 + epsilonHigh (clip-higher; 0.28 in DAPO). Default: epsilon.',
  },
  delta: {
    type: 'number',
    exclusiveMinimum: 1,
    description: 'Upper limit of the ratio also where the advantage is negative. Without it there is none.',
  },
} as const;

export const grpoConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: { ...advantageOptions, ...lossOptions, ...clipOptions },
});

export type GrpoOptions = ReturnType<typeof grpoConfig.parse>;

export function grpo(options: GrpoOptions): Algorithm {
  return groupRelative('grpo', options, clippedSurrogate(options));
}

export interface ClipOptions {
  readonly epsilon: number;
  readonly epsilonHigh?: number;
  readonly delta?: number;
}

/** PPO's pessimistic surrogate: a ratio that has left the range in the direction of its advantage has no gradient. */
export function clippedSurrogate(options: ClipOptions): Surrogate {
  const { epsilon, epsilonHigh = epsilon, delta } = options;
  return (terms) => {
    const { ratio, advantages } = terms;
    const free = delta === undefined ? ratio : clip(ratio, 0, delta);
    const clipped = clip(ratio, 1 - epsilon, 1 + epsilonHigh);
    return {
      loss: neg(minimum(mul(free, advantages), mul(clipped, advantages))),
      // Of the ratio that is left by `delta`, as TRL counts: what `delta` holds below the range is not clipped by it.
      metrics: clipMetrics({ ...terms, ratio: free }, { low: 1 - epsilon, high: 1 + epsilonHigh }),
    };
  };
}

/** Shares of the decisions whose ratio is below, above and outside the range that has a gradient for their advantage. */
function clipMetrics({ ratio, advantages, active }: SurrogateTerms, range: { low: number; high: number }) {
  const low = and(less(ratio, range.low), less(advantages, 0));
  const high = and(greater(ratio, range.high), greater(advantages, 0));
  const share = (x: Tensor) => ({ value: maskedMean(cast(x, active.dtype), active), join: 'mean' as const });
  return { 'clip/low': share(low), 'clip/high': share(high), 'clip/region': share(or(low, high)) };
}
