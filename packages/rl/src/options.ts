/** Options that several algorithms share, as parts of JSON Schemas. */

/** How advantages are made of rewards; see `advantages.ts`. */
export const advantageOptions = {
  scale: {
    enum: ['group', 'batch', 'none'],
    default: 'group',
    description:
      'What advantages are divided by: the standard deviation of the rewards in the group, in the whole batch, or nothing (Dr. GRPO).',
  },
  epsilonAdvantage: {
    type: 'number',
    minimum: 0,
    default: 1e-4,
    description:
      'Added to that standard deviation. With rewards that differ by less, advantages shrink: choose it well below the spread of the reward.',
  },
  aggregation: {
    enum: ['sum_then_normalize', 'normalize_then_sum'],
    default: 'sum_then_normalize',
    description:
      'Several rewards: standardise their weighted sum, or (GDPO) standardise each in its group, then sum, then standardise over the batch.',
  },
  advantageClip: {
    type: 'number',
    exclusiveMinimum: 0,
    description: 'Limits advantages to this size. Without it they are not limited.',
  },
  entropyReward: {
    type: 'number',
    minimum: 0,
    default: 0,
    description:
      'Weight of a reward for the best rollouts of a group whose entropy is that of the reference (STAGE, which uses 0.4): it holds the entropy when rewards tie.',
  },
} as const;

/** How a loss is made of surrogates; see `policy-loss.ts`. */
export const lossOptions = {
  ratio: {
    enum: ['token', 'sequence'],
    default: 'token',
    description:
      'Probability ratio of each decision, or (GSPO) one for each rollout: the geometric mean of those of its decisions.',
  },
  reduction: {
    enum: ['grpo', 'bnpo', 'dapo', 'dr_grpo', 'luspo'],
    default: 'grpo',
    description:
      'Mean over a rollout then over rollouts (grpo), over the micro-batch (bnpo), over the optimiser step (dapo), sum over the greatest length (dr_grpo), sum over a rollout (luspo). The first four are one when all images have the same number of tokens.',
  },
  beta: {
    type: 'number',
    minimum: 0,
    default: 0,
    description: 'Weight of the KL divergence from the reference policy. At 0 the reference is not computed.',
  },
  klEstimator: {
    enum: ['k1', 'k2', 'k3'],
    default: 'k3',
    description: 'Estimator of that divergence. k1 has no expected gradient as a loss.',
  },
  biasCorrectedKl: {
    type: 'boolean',
    default: false,
    description: 'Weights the KL estimate by the ratio, which makes it right for rollouts of an older policy.',
  },
  entropyCoefficient: {
    type: 'number',
    minimum: 0,
    default: 0,
    description: 'Weight of the mean entropy of the policy, which is subtracted from the loss.',
  },
  topEntropyQuantile: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: 1,
    default: 1,
    description: 'Share of the decisions, those of highest entropy, that the policy gradient is made of.',
  },
  offPolicyThreshold: {
    type: 'number',
    description:
      'Drops rollouts of negative advantage whose mean log-probability has fallen by more than this since they were drawn. Without it none is dropped.',
  },
  tokenWeights: {
    enum: ['uniform', 'similarity'],
    default: 'uniform',
    description:
      'similarity: image tokens that look like those of rollouts with the opposite advantage count less in the policy term (STAGE).',
  },
} as const;
