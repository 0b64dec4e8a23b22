export { type AbsentWeights, absentWeights, savedDType } from './absent-weights.ts';
export * from './autoregressive/index.ts';
export type {
  ActiveAdapter,
  Backend,
  Drawing,
  DrawRequest,
  Pixels,
  PolicyGraphOptions,
  PolicyKind,
  PolicyTerms,
  PromptTrace,
  Question,
  ReadRequest,
  Representation,
  ShownImage,
  TrainablePolicy,
  UseOptions,
} from './backend.ts';
export { type BackendDeps, backends } from './backends.ts';
export { checkpointWeights, checkWeights } from './checkpoint-weights.ts';
export { type DecoderConfig, decoderConfig, type RopeScaling } from './decoder/config.ts';
export {
  type Caches,
  type ComputeDType,
  createDecoder,
  type Decoder,
  decodeBlocks,
  embedTokens,
  headLogits,
  prefillBlocks,
  runBlocks,
} from './decoder/decoder.ts';
export { decoderModules, decoderParameters } from './decoder/parameters.ts';
export { type RolloutOptions, rollout, sequenceLogits, type TokenBatch } from './decoder/rollout.ts';
export { inverseFrequencies, ropeTables } from './decoder/rope-tables.ts';
export { modelErrors } from './errors.ts';
export { weightsFingerprint } from './fingerprint.ts';
export {
  type CountedProgram,
  type Footprint,
  type FootprintDeps,
  type FootprintOptions,
  footprints,
} from './footprints.ts';
export { readModelFile, readModelJson } from './model-files.ts';
export { type Adapter, createModules, type Modules } from './modules.ts';
export {
  type Pretraining,
  type PretrainingProgress,
  type PretrainingResult,
  type PretrainingRun,
  pretrainings,
} from './pretraining.ts';
export * from './torch/index.ts';
export * from './vision/index.ts';
