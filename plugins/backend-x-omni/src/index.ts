export { createXOmniBackend } from './backend.ts';
export { xOmniErrors } from './errors.ts';
export type { XOmniOptions } from './options.ts';
export { type SamplerPreset, samplers } from './samplers.ts';
