export { type Config, compileConfig, defineConfig } from './config.ts';
export { coreErrors } from './core-errors.ts';
export { didYouMean, didYouMeanHint } from './did-you-mean.ts';
export { defineErrors, type ErrorCode, type ErrorOptions, type ErrorTable, GvuError, isGvuError } from './errors.ts';
export type { JsonValue, Problem } from './json-value.ts';
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
