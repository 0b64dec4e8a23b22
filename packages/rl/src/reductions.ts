/**
 * From one loss for each decision to the loss of a batch. They differ in what a long rollout weighs; when all rollouts
 * have L decisions and none is masked, grpo, bnpo, dapo and dr_grpo (with L as the greatest length) are one number.
 *
 *   grpo     mean over the decisions of a rollout, then over rollouts: each rollout counts alike (GRPO; Eq. 8)
 *   bnpo     mean over all decisions of the micro-batch: each decision counts alike
 *   dapo     the same over the whole optimiser step, so that it does not matter how the step is cut into micro-batches (DAPO)
 *   dr_grpo  sum over a constant, the greatest possible length, so that no length is favoured (Dr. GRPO)
 *   luspo    sum over the decisions of a rollout, then mean over rollouts: long rollouts count more
 *
 * The names are those of TRL's `loss_type`.
 */
import { div, maximum, mean, mul, sum, type Tensor } from '@gvu/onnx';
import type { PolicyBatch } from './algorithm.ts';
import { rowCounts } from './masked.ts';

export type Reduction = 'grpo' | 'bnpo' | 'dapo' | 'dr_grpo' | 'luspo';

/** The loss as this micro-batch's share of the optimiser step: a scalar, of losses [B, T] or [B, 1] per decision. */
export function reduceLoss(perDecision: Tensor, active: Tensor, options: ReduceOptions): Tensor {
  const { reduction, microBatches = 1, globalTokens } = options;
  const losses = mul(perDecision, active); // [B, T]
  const [rows = 1, length = 1] = losses.shape;
  switch (reduction) {
    case 'grpo':
      return div(mean(div(sum(losses, [1], { keepDims: true }), rowCounts(active))), microBatches);
    case 'bnpo':
      return div(sum(losses), mul(maximum(sum(active), 1), microBatches));
    case 'dapo':
      return div(sum(losses), maximum(globalTokens ?? sum(active), 1));
    case 'dr_grpo':
      return div(sum(losses), rows * (options.maxLength ?? length) * microBatches);
    case 'luspo':
      return div(sum(losses), rows * microBatches);
  }
}

export interface ReduceOptions extends Pick<PolicyBatch, 'microBatches' | 'globalTokens' | 'maxLength'> {
  readonly reduction: Reduction;
}
