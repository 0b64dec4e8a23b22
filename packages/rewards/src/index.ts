export { rewardErrors } from './errors.ts';
export type { Gate } from './gate.ts';
export {
  chooseRepresentation,
  type GvuOptions,
  type GvuPmiOptions,
  gvu,
  gvuConfig,
  gvuLog,
  gvuPmi,
  gvuPmiConfig,
} from './gvu.ts';
export * from './image-level/index.ts';
export { type JpegSizeOptions, jpegSize, jpegSizeConfig } from './jpeg-size.ts';
export { type LikelihoodForm, type LikelihoodOptions, promptLikelihood } from './prompt-likelihood.ts';
export { randomReward } from './random.ts';
export type { Reader, ReaderOf } from './reader.ts';
export {
  type Reward,
  type RewardDeps,
  type RewardInput,
  type RewardScores,
  type Rollout,
  rewards,
  type Teacher,
  type TeacherKind,
} from './reward.ts';
export { rolloutInput } from './rollout-input.ts';
export { entryName, type RewardEntry, type ScoredReward, scoreRollouts } from './score.ts';
