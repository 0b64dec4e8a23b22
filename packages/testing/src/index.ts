export { type AlgorithmConformanceOptions, type AlgorithmTolerances, algorithmConformance } from './algorithm.ts';
export { backendConformance } from './backend/conformance.ts';
export type { BackendCapability, BackendConformanceOptions, BackendTolerances } from './backend/subject.ts';
export { type BenchmarkConformanceOptions, benchmarkConformance } from './benchmark.ts';
export { badge, type ConformanceCheck, type ConformanceReport, runChecks } from './check.ts';
export { testingErrors } from './errors.ts';
export { type PluginConformanceOptions, pluginConformance } from './plugin.ts';
export {
  type ClientConformanceOptions,
  type ClientUnderTest,
  clientConformance,
  type FollowItem,
} from './protocol/client.ts';
export { type ServerConformanceOptions, type ServerUnderTest, serverConformance } from './protocol/server.ts';
export { type RewardConformanceOptions, type RewardTolerances, rewardConformance } from './reward.ts';
export { type TestRunner, testConformance } from './test-conformance.ts';
