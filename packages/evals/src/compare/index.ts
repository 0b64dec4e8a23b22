export { comparisonText, type RunPlace, readComparison, writeComparison } from './compare-report.ts';
export { type ComparedRun, changes, judgedArms } from './compared-runs.ts';
export { type ArmResult, compareRewards, type PairResult, type RewardComparison } from './comparison.ts';
export { type CrossedEstimate, type CrossedUnit, crossedMeans } from './crossed.ts';
