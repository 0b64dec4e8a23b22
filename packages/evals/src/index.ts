export * from './benchmarks/index.ts';
export {
  type BootstrapOptions,
  type Interval,
  type MeanEstimate,
  type Pair,
  pairedBootstrap,
  type StratifiedEstimate,
} from './bootstrap.ts';
export * from './compare/index.ts';
export { evalsErrors } from './errors.ts';
export { type Comparison, compareEvaluations, type ScoreRow, type Verdict } from './evaluations.ts';
export { compareExams, type ExamRow, type ExamSide } from './exam-comparison.ts';
export { type Count, differenceInterval, wilsonInterval } from './proportion.ts';
export { writeReport } from './report.ts';
export * from './reproduce/index.ts';
export { type RunRecord, readRun } from './run-record.ts';
export { comparisonOf } from './score-table.ts';
export { type SummaryOptions, summaryText } from './summary-text.ts';
