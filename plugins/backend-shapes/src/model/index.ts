export {
  type Backbone,
  codeLogits,
  createBackbone,
  drawCodes,
  drawingMask,
  embedSequences,
  readingMask,
  runSequences,
  type Sequences,
  wordLogits,
} from './backbone.ts';
export {
  backboneDecoder,
  imageTokens,
  modelParameters,
  type ShapesConfig,
  shapesConfig,
  type TokenIds,
  tokenIds,
} from './config.ts';
export type { WeightSource } from './programs.ts';
export {
  drawingSequences,
  type ReadingData,
  type ReadingRow,
  readingImageAt,
  readingSequences,
  type SequenceData,
  type Text,
} from './sequences.ts';
export { type Codes, type DrawnImage, ShapesModel } from './shapes-model.ts';
export { openModel, writeModel } from './weights.ts';
