export {
  type AdvantageStatistics,
  type Advantages,
  type GroupAdvantageOptions,
  groupAdvantages,
  type RewardColumn,
} from './advantages.ts';
export {
  type Algorithm,
  algorithms,
  type Metric,
  type PolicyBatch,
  type PolicyLoss,
  type PolicyNeed,
  type RewardBatch,
  type RewardNeed,
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
export { type Exam, type ExamScore, exams } from './exams.ts';
export { type KlEstimator, klEstimate } from './kl.ts';
export { type Prompt, type PromptSource, prompts } from './prompts.ts';
export type { Reduction } from './reductions.ts';
export { type RunConfig, runConfig } from './run/config.ts';
export {
  currentEvents,
  type EndReason,
  type EvaluatedDrawing,
  type EvaluationEvent,
  type ExamEvent,
  type GuardEvent,
  isRunEvent,
  type RolloutEvent,
  type RunEvent,
  type RunEvents,
  type RunStarted,
  type StepEvent,
} from './run/events.ts';
export { type BatchPlan, batchPlan } from './trainer/batch-plan.ts';
export { listCheckpoints, newestAdapter } from './trainer/checkpoint.ts';
export { planRun, type RunPlan } from './trainer/plan.ts';
export {
  type AdapterLayout,
  type GradientOptions,
  gradientProgram,
  type PolicyProgramOptions,
  updateProgram,
} from './trainer/programs.ts';
export { readRunConfig } from './trainer/run-folder.ts';
export {
  type BetweenSteps,
  type RunParts,
  type TrainOptions,
  type TrainProgress,
  type TrainResult,
  train,
} from './trainer/train.ts';
