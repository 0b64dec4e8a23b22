export {
  type Catalogue,
  type CatalogueOptions,
  createCatalogue,
} from './catalogue.ts';
export { equalWeights, type PromptWeights, promptChooser } from './choose-prompt.ts';
export { describeScene, truePrompts } from './describe.ts';
export { type Detection, detectObjects, sceneDetections } from './detector.ts';
export { judge, type Verdict } from './judge.ts';
export { type SharedPrompt, sharedPrompts } from './leaks.ts';
export {
  type Category,
  categories,
  type Excluded,
  type Included,
  type PromptMetadata,
  type RelativeSize,
} from './metadata.ts';
export type { ColorName } from './palette.ts';
export { imageSize, toBytes, toFloats } from './pixels.ts';
export {
  createProbes,
  type Probes,
  type QuestionProbe,
  type RetrievalProbe,
  type SwapKind,
  type SwapProbe,
  swapKinds,
} from './probes.ts';
export { askAbout, type Question, type QuestionKind, questionKinds } from './questions.ts';
export type { Region, Relation } from './relations.ts';
export { renderScene } from './render.ts';
export { type SceneOptions, sampleScene } from './sample-scene.ts';
export { type Box, boxOf, type Scene, type SceneObject } from './scene.ts';
export type { ShapeName } from './shapes.ts';
export type { CatalogueEntry, Split } from './split.ts';
export { createVocabulary, describeInstruction, type Vocabulary } from './vocabulary.ts';
export type { Colored } from './wording.ts';
export { cellSide, defineWorld, gridSide, imageSide, type Size, type World } from './world.ts';
