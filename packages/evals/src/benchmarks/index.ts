export {
  type AnsweredQuestion,
  type AskedQuestion,
  type Benchmark,
  type BenchmarkItem,
  benchmarks,
  type Defect,
  type DrawnImage,
  type ExtraMetric,
  type GenerationBenchmark,
  type ItemScore,
  type Mode,
  modes,
  type OutputFile,
  type QuestionBenchmark,
  type QuestionImage,
  type ScoreOptions,
  type Scores,
} from './benchmark.ts';
export { type Contamination, findContamination, readTrainingPrompts, type SharedPrompt } from './contamination.ts';
export { type EvaluateOptions, type Evaluation, evaluate } from './evaluate.ts';
export { type GenEvalParts, genEvalOf } from './geneval/geneval.ts';
export { type GenEvalItem, type GenEvalMetadata, genEvalItems } from './geneval/metadata.ts';
export { type DetectionThresholds, genEvalThresholds } from './geneval/rules.ts';
export { genEvalPlusOf } from './geneval-pp/geneval-pp.ts';
export {
  type Box,
  type DepthMap,
  type Detection,
  type Judge,
  type JudgeAbility,
  type JudgeDeps,
  type JudgeQuestion,
  judges,
} from './judge.ts';
export {
  type BenchmarkResult,
  compareResults,
  comparisonRows,
  parseResult,
  type ResultComparison,
  resultNotes,
  resultTable,
} from './result.ts';
export { fileRewriter, type PromptRewriter } from './rewriter.ts';
export type { Summary, SummaryRow } from './summary.ts';
