/**
 * Estimators of KL(policy || reference) for a decision drawn from the policy, from the two log-probabilities of that decision
 * (Schulman 2020, "Approximating KL divergence"), with d = log reference - log policy:
 *
 *   k1  -d             unbiased, large variance, may be negative; as a loss its expected gradient is zero
 *   k2  d²/2           biased, never negative; its gradient is that of the true KL on policy
 *   k3  e^d - d - 1    unbiased, never negative; what GRPO uses. In float32 it drowns in rounding below about 1e-7
 *
 * In a loss they are added to each decision. What TRL calls bias correction, for decisions drawn from an older policy, is k3 times
 * the ratio.
 */
import { exp, mul, neg, square, sub, type Tensor } from '@gvu/onnx';

export type KlEstimator = 'k1' | 'k2' | 'k3';

/** One estimate for each decision, in nats, of the shape of both log-probabilities. */
export function klEstimate(estimator: KlEstimator, logp: Tensor, refLogp: Tensor): Tensor {
  const d = sub(refLogp, logp);
  switch (estimator) {
    case 'k1':
      return neg(d);
    case 'k2':
      return mul(square(d), 0.5);
    case 'k3':
      return sub(sub(exp(d), d), 1);
  }
}
