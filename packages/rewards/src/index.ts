export { rewardErrors } from './errors.ts';
export { type GateOptions, gate } from './gate.ts';
export { type LikelihoodForm, type LikelihoodOptions, promptLikelihood } from './prompt-likelihood.ts';
export { randomReward } from './random.ts';
export type { Pixels, PromptTrace, Reward, RewardInput, RewardScores, Rollout, Teacher } from './reward.ts';
export { type RewardEntry, type ScoredReward, scoreRollouts } from './score.ts';
