export { type Config, compileConfig, defineConfig } from './config.ts';
export { coreErrors } from './core-errors.ts';
export { didYouMean, didYouMeanHint } from './did-you-mean.ts';
export {
  defineErrors,
  type ErrorCode,
  type ErrorOptions,
  type ErrorTable,
  GvuError,
  isGvuError,
  statementOf,
} from './errors.ts';
export {
  type BlobName,
  blobPath,
  EventLog,
  type EventLogOptions,
  type EventTail,
  type LogEvent,
  readBlob,
  readBlobSync,
  readEvents,
  type TailFrom,
  type TailOptions,
  tailEvents,
} from './event-log/index.ts';
export { isRecord, type JsonValue, type Problem } from './json-value.ts';
export type { Contribution } from './plugins/catalogue.ts';
export {
  type ContributionFactory,
  type ContributionPoint,
  contributionPoint,
  type EntrySchema,
  type RequirementCheck,
} from './plugins/contribution-point.ts';
export { PluginHost, type PluginHostOptions } from './plugins/host.ts';
export { pluginManifestSchema } from './plugins/manifest-schema.ts';
export {
  definePlugin,
  PLUGIN_API_VERSION,
  type Plugin,
  type PluginContext,
  type PluginDefinition,
  type PluginLogger,
} from './plugins/plugin-api.ts';
export type { PluginLogEntry } from './plugins/plugin-scope.ts';
export {
  formatPluginProblem,
  type LoadPhase,
  type PluginProblem,
  type PluginReport,
  type PluginStatus,
  throwIfFailed,
} from './plugins/report.ts';
export {
  type FillOptions,
  fillIntegers,
  fillNormal,
  fillUniform,
  type RandomAddress,
  type RandomStream,
  randomStream,
  shuffled,
  weightedChoice,
} from './random.ts';
export { ServiceRegistry, type ServiceResolver, type ServiceToken, serviceToken } from './services.ts';
export { syncDirectory } from './sync-directory.ts';
export { reasonOf } from './thrown.ts';
