export {
  type BestOfScores,
  bestOf,
  drawAndJudge,
  type JudgedDrawing,
  judgedDrawings,
  overall,
  reconstructionScore,
  scoresByCategory,
} from './evaluate-drawing.ts';
export {
  modelReader,
  promptLogProbs,
  type ReadingScores,
  readingScores,
  type TextOfImage,
  type TextReader,
} from './evaluate-reading.ts';
export type { EvaluationOptions, Score } from './evaluation.ts';
export { type BaseReport, defaultRecipe, type PretrainOptions, type PretrainReport, pretrain } from './pretrain.ts';
export { reportText } from './report.ts';
export type { StageProgress } from './train-stage.ts';
