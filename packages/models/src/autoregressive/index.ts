export { type AutoregressiveDeps, createAutoregressiveBackend } from './backend.ts';
export { type AutoregressiveSizes, autoregressiveFootprint, type FootprintParts } from './footprint.ts';
export { type AutoregressiveModel, oncePerGraph, routedDecoder, type WeightSource } from './model.ts';
export { createPolicy, type PolicyOptions } from './policy.ts';
export { allStates, answerProgram, drawProgram, type ProgramOptions, readProgram } from './programs.ts';
export { finalNorm, imageLogits, imagePlaces, type RoutedDecoder, type TokenRoutes, textLogits } from './routes.ts';
export type {
  AutoregressiveSpec,
  ImageCodec,
  ImageFeatures,
  SequenceBuilder,
  SequenceImage,
  TokenGrid,
} from './spec.ts';
export {
  type ChatMessage,
  createTextTokenizer,
  openTokenizer,
  type TextTokenizer,
  type TokenizerOptions,
  type TokenizerSource,
} from './text-tokenizer.ts';
