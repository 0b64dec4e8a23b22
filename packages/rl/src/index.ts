export {
  type AdvantageStatistics,
  type Advantages,
  type GroupAdvantageOptions,
  groupAdvantages,
  type RewardColumn,
} from './advantages.ts';
export type {
  Algorithm,
  Metric,
  PolicyBatch,
  PolicyLoss,
  PolicyNeed,
  RewardBatch,
  RewardNeed,
} from './algorithm.ts';
export { type CispoOptions, cispo, cispoConfig } from './algorithms/cispo.ts';
export { type GrpoOptions, grpo, grpoConfig } from './algorithms/grpo.ts';
export {
  type ReinforcePlusPlusOptions,
  reinforcePlusPlus,
  reinforcePlusPlusConfig,
} from './algorithms/reinforce-plus-plus.ts';
export { type RlooOptions, rloo, rlooConfig } from './algorithms/rloo.ts';
export { type SapoOptions, sapo, sapoConfig } from './algorithms/sapo.ts';
export { type VespoOptions, vespo, vespoConfig } from './algorithms/vespo.ts';
export { rlErrors } from './errors.ts';
export { type KlEstimator, klEstimate } from './kl.ts';
export type { Reduction } from './reductions.ts';
