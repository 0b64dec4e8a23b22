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
export { type Adapter, createModules, type Modules } from './modules.ts';
